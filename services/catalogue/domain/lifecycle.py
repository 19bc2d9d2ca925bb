"""An entry's way from draft to publication, revision and withdrawal.

The working copy moves through the states; beside it stands what is public at the moment, which a new draft does not
touch until it is published in its turn.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, Self, TypeVar

from pydantic import BaseModel

from contracts.catalogue import (
    Entry,
    EntryDrafted,
    EntryOwner,
    EntryPublished,
    EntryStatus,
    EntrySubmitted,
    EntryWithdrawn,
)
from contracts.common import Reason
from contracts.envelope import Event


class Action(StrEnum):
    """What can be done with an entry."""

    REVISE = "revise"
    SUBMIT = "submit"
    RETURN = "return"
    PUBLISH = "publish"
    WITHDRAW = "withdraw"


TRANSITIONS: Final = {
    (EntryStatus.DRAFT, Action.REVISE): EntryStatus.DRAFT,
    (EntryStatus.DRAFT, Action.SUBMIT): EntryStatus.IN_REVIEW,
    (EntryStatus.DRAFT, Action.WITHDRAW): EntryStatus.WITHDRAWN,
    (EntryStatus.IN_REVIEW, Action.RETURN): EntryStatus.DRAFT,
    (EntryStatus.IN_REVIEW, Action.PUBLISH): EntryStatus.PUBLISHED,
    (EntryStatus.IN_REVIEW, Action.WITHDRAW): EntryStatus.WITHDRAWN,
    (EntryStatus.PUBLISHED, Action.REVISE): EntryStatus.DRAFT,
    (EntryStatus.PUBLISHED, Action.WITHDRAW): EntryStatus.WITHDRAWN,
    (EntryStatus.WITHDRAWN, Action.REVISE): EntryStatus.DRAFT,
}
"""All that is possible; anything else is refused."""


class NotPossible(Exception):
    """The entry's present state does not allow this."""

    def __init__(self, status: EntryStatus, action: Action) -> None:
        super().__init__(f"{action} is not possible while the entry is {status}")
        self.status = status
        self.action = action


class EntryState(BaseModel):
    """An entry with its history of states. ``public`` is what readers see, None while nothing is public.

    ``revision`` counts publications. ``generated`` says that the content was made from the platforms' directory and
    was not edited since, so that it follows the directory. ``note`` is the last reviewer's word to the author.
    """

    id: str
    content: Entry
    status: EntryStatus = EntryStatus.DRAFT
    public: Entry | None = None
    revision: int = 0
    author: str | None = None
    reviewed_by: str | None = None
    note: str | None = None
    generated: bool = False
    published_at: datetime | None = None
    withdrawn_for: str | None = None
    replaced_by: str | None = None


E = TypeVar("E", bound=EntryState)


def drafted(entry: EntryState, reason: Reason | None = None) -> EntryDrafted:
    """The fact that an entry is a draft."""
    content = entry.content
    return EntryDrafted(
        entry_id=entry.id, code=content.code, kind=content.kind, owner=content.owner, author=entry.author, reason=reason
    )


def _moved(entry: E, action: Action, **changes: object) -> E:
    status = TRANSITIONS.get((entry.status, action))
    if status is None:
        raise NotPossible(entry.status, action)
    return entry.model_copy(update={"status": status, **changes})


def revise(entry: E, content: Entry, author: str | None) -> tuple[E, Event]:
    """New content in the working copy. Raises :class:`NotPossible` while it is in review."""
    revised = _moved(entry, Action.REVISE, content=content, author=author, note=None, generated=False)
    return revised, drafted(revised)


def submit(entry: E) -> tuple[E, Event]:
    """The author asks for review. Raises :class:`NotPossible` unless it is a draft."""
    content = entry.content
    fact = EntrySubmitted(
        entry_id=entry.id, code=content.code, kind=content.kind, owner=content.owner, author=entry.author
    )
    return _moved(entry, Action.SUBMIT), fact


def send_back(entry: E, note: str) -> tuple[E, Event]:
    """The reviewer wants changes. Raises :class:`NotPossible` unless it is in review."""
    returned = _moved(entry, Action.RETURN, note=note)
    return returned, drafted(returned, Reason(code="changes-wanted"))


def publish(entry: E, reviewer: str | None, now: datetime) -> tuple[E, Event]:
    """The working copy becomes public. Raises :class:`NotPossible` unless it is in review."""
    published = _moved(entry, Action.PUBLISH)
    return _made_public(published, reviewer, now)


def _made_public(entry: E, reviewer: str | None, now: datetime) -> tuple[E, Event]:
    public = entry.model_copy(
        update={
            "public": entry.content,
            "revision": entry.revision + 1,
            "reviewed_by": reviewer,
            "note": None,
            "published_at": now,
            "withdrawn_for": None,
            "replaced_by": None,
        }
    )
    fact = EntryPublished(entry_id=public.id, revision=public.revision, entry=public.content, reviewed_by=reviewer)
    return public, fact


def withdraw(entry: E, reason: str, note: str | None, replaced_by: str | None) -> tuple[E, Event]:
    """The entry is no longer public, and its readers are led elsewhere. Raises :class:`NotPossible` when it is so."""
    changes = {"public": None, "withdrawn_for": reason, "note": note, "replaced_by": replaced_by}
    fact = EntryWithdrawn(entry_id=entry.id, reason=Reason(code=reason), replaced_by=replaced_by)
    return _moved(entry, Action.WITHDRAW, **changes), fact


def generate(entry: E, content: Entry, now: datetime) -> tuple[E, Event]:
    """Content that comes from the directory needs no review: it is public at once."""
    made = entry.model_copy(update={"content": content, "status": EntryStatus.PUBLISHED, "generated": True})
    return _made_public(made, None, now)


def change_owner(entry: E, old: EntryOwner, new: EntryOwner, now: datetime) -> tuple[E, Event]:
    """Whatever belonged to the old owner belongs to the new one, in the working copy and in public."""

    def owned(content: Entry) -> Entry:
        return content.model_copy(update={"owner": new}) if content.owner == old else content

    changed = entry.model_copy(update={"content": owned(entry.content)})
    if entry.public is None or entry.public.owner != old:
        return changed, drafted(changed)
    public = owned(entry.public)
    changed = changed.model_copy(update={"public": public, "revision": entry.revision + 1, "published_at": now})
    return changed, EntryPublished(
        entry_id=entry.id, revision=changed.revision, entry=public, reviewed_by=entry.reviewed_by
    )


class WorkingCopy(BaseModel):
    """An entry as its editors see it. ``version`` goes into ``If-Match`` of the next revision.

    ``public`` is what readers see at present, None when that is nothing.
    """

    id: str
    version: int
    status: EntryStatus
    content: Entry
    public: Entry | None
    revision: int
    author: str | None
    reviewed_by: str | None
    note: str | None
    generated: bool
    published_at: datetime | None
    withdrawn_for: str | None
    replaced_by: str | None

    @classmethod
    def of(cls, entry: EntryState, version: int) -> Self:
        """The entry in this version."""
        return cls(version=version, **entry.model_dump(include=set(EntryState.model_fields)))
