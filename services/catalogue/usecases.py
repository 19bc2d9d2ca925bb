"""What editors do with entries, and what follows from events elsewhere: load, decide, save."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from babel import Locale

from contracts.catalogue import Entry, EntryOwner, Relation
from contracts.envelope import Event
from contracts.national_platforms import PlatformListed
from services.catalogue.domain import lifecycle
from services.catalogue.domain.lifecycle import WorkingCopy
from services.catalogue.domain.platforms import platform_entry
from services.catalogue.store import ALIASES, ENTRIES, EntryRecord
from services.catalogue.store.documents import present_id
from shared.identity import Caller
from shared.ids import new_id
from shared.problems import Problem, conflict, not_found
from shared.store import Reader, Store, Transaction

EDITORS: Final = ("editor", "administrator")
LANGUAGES: Final = ("en", "pt", "de")

Related = Sequence[tuple[str, str]]
"""An entry's relations: kind, and the other entry's id or code."""

Step = Callable[[Transaction, EntryRecord], Awaitable[tuple[EntryRecord, Event]]]


def require_editor(caller: Caller, owner: EntryOwner) -> None:
    """Raises a 403 problem unless the caller edits what this owner answers for."""
    caller.require_role(*EDITORS, scope=(owner.kind, owner.id or "*"))


async def find(reader: Reader, id_or_code: str) -> EntryRecord:
    """The entry with this id or code. Raises a 404 problem when there is none."""
    record = await reader.get(ENTRIES, id_or_code) or await reader.one(ENTRIES, {"content.code": id_or_code})
    if record is None:
        raise not_found("entry", id_or_code)
    return record


async def _complete(tx: Transaction, content: Entry, related: Related) -> Entry:
    """The content with its relations, and with its owner as it is called today, should its city have become another.

    Raises a 422 problem when a relation leads nowhere.
    """
    relations = []
    for place, (kind, reference) in enumerate(related):
        try:
            relations.append(Relation(kind=kind, entry_id=(await find(tx, reference)).id))
        except Problem:
            field = {"code": "unknown-entry", "field": f"body.relations.{place}.entry", "message": "No such entry."}
            raise Problem(422, "invalid", "A relation leads to no entry.", errors=[field]) from None
    owner = content.owner
    if owner.kind == "city" and owner.id is not None:
        owner = owner.model_copy(update={"id": await present_id(tx, owner.id)})
    return content.model_copy(update={"relations": tuple(relations), "owner": owner})


async def draft(store: Store, caller: Caller, content: Entry, related: Related) -> WorkingCopy:
    """Begins an entry. Raises 403, 409 for a code in use, 422 for relations that lead nowhere."""
    require_editor(caller, content.owner)

    async def work(tx: Transaction) -> WorkingCopy:
        if await tx.one(ENTRIES, {"content.code": content.code}):
            raise conflict("code-taken", "Another entry has this code.", taken=content.code)
        complete = await _complete(tx, content, related)
        record = EntryRecord(id=new_id("ent"), content=complete, author=await present_id(tx, caller.id))
        saved = await tx.save(ENTRIES, record, lifecycle.drafted(record))
        return WorkingCopy.of(saved, saved.version)

    return await store.transaction(work)


async def revise(store: Store, caller: Caller, id: str, content: Entry, related: Related, version: int) -> WorkingCopy:
    """Gives the working copy new content. ``version`` is the one that the editor has seen.

    Raises 403, 404, 409 while it is in review, 412 when somebody else was faster, 422 for another code or relations
    that lead nowhere.
    """

    async def step(tx: Transaction, record: EntryRecord) -> tuple[EntryRecord, Event]:
        require_editor(caller, content.owner)
        if record.version != version:
            raise Problem(412, "changed-meanwhile", "Somebody else changed this entry; load it again.")
        if content.code != record.content.code:
            raise Problem(422, "code-fixed", "An entry keeps its code, because addresses lead to it.")
        complete = await _complete(tx, content, related)
        return lifecycle.revise(record, complete, await present_id(tx, caller.id))

    return await _change(store, caller, id, step)


async def submit(store: Store, caller: Caller, id: str) -> WorkingCopy:
    """Hands the working copy in for review. Raises 403, 404, 409 unless it is a draft."""

    async def step(_: Transaction, record: EntryRecord) -> tuple[EntryRecord, Event]:
        return lifecycle.submit(record)

    return await _change(store, caller, id, step)


async def send_back(store: Store, caller: Caller, id: str, note: str) -> WorkingCopy:
    """Gives the working copy back to its author with a note. Raises 403, 404, 409 unless it is in review."""

    async def step(_: Transaction, record: EntryRecord) -> tuple[EntryRecord, Event]:
        return lifecycle.send_back(record, note)

    return await _change(store, caller, id, step)


async def publish(store: Store, caller: Caller, id: str) -> WorkingCopy:
    """Makes the working copy public. Raises 403, 404, 409 unless it is in review."""

    async def step(tx: Transaction, record: EntryRecord) -> tuple[EntryRecord, Event]:
        return lifecycle.publish(record, await present_id(tx, caller.id), tx.clock.now())

    return await _change(store, caller, id, step)


async def withdraw(
    store: Store, caller: Caller, id: str, reason: str, note: str | None, replaced_by: str | None
) -> WorkingCopy:
    """Takes the entry out of the public catalogue. Raises 403, 404 (also for the replacement), 409 when it is so."""

    async def step(tx: Transaction, record: EntryRecord) -> tuple[EntryRecord, Event]:
        successor = (await find(tx, replaced_by)).id if replaced_by else None
        if successor == record.id:
            raise Problem(422, "replaces-itself", "An entry cannot be replaced by itself.")
        return lifecycle.withdraw(record, reason, note, successor)

    return await _change(store, caller, id, step)


async def _change(store: Store, caller: Caller, id: str, step: Step) -> WorkingCopy:
    async def work(tx: Transaction) -> WorkingCopy:
        record = await find(tx, id)
        require_editor(caller, record.content.owner)
        try:
            changed, fact = await step(tx, record)
        except lifecycle.NotPossible as refusal:
            detail = f"This is not possible while the entry is {refusal.status}."
            raise conflict("wrong-state", detail, status=refusal.status, action=refusal.action) from None
        saved = await tx.save(ENTRIES, changed, fact)
        return WorkingCopy.of(saved, saved.version)

    return await store.transaction(work)


async def list_platform(tx: Transaction, listed: PlatformListed) -> None:
    """Gives a listed national platform its entry, and lets it follow the directory until an editor takes it over."""
    id = platform_entry_id(listed.platform)
    names = {language: Locale(language).territories.get(listed.country, listed.country) for language in LANGUAGES}
    content = platform_entry(listed, names)
    record = await tx.get(ENTRIES, id)
    if record is not None and (not record.generated or record.content == content):
        return
    made, fact = lifecycle.generate(record or EntryRecord(id=id, content=content), content, tx.clock.now())
    await tx.save(ENTRIES, made, fact)


def platform_entry_id(platform: str) -> str:
    """The id of a national platform's entry: always the same for the same platform."""
    return f"ent_{uuid5(NAMESPACE_URL, f'national-platform:{platform}').hex}"


def keep_alias(tx: Transaction, id: str, into: str | None) -> None:
    """Keeps who or what a person or city turned out to be; None when it was erased."""
    tx.project(ALIASES, id, {"into": into})


async def merge_city(tx: Transaction, city: str, into: str) -> None:
    """What belonged to a city belongs to the one that it turned out to be."""
    old, new = EntryOwner(kind="city", id=city), EntryOwner(kind="city", id=into)
    owned = [{f"{part}.owner.kind": "city", f"{part}.owner.id": city} for part in ("content", "public")]
    for record in await tx.find(ENTRIES, {"$or": owned}):
        changed, fact = lifecycle.change_owner(record, old, new, tx.clock.now())
        await tx.save(ENTRIES, changed, fact)


async def merge_person(tx: Transaction, person: str, into: str) -> None:
    """What a person wrote or reviewed was the one's that it turned out to be."""
    await _rename_person(tx, person, into)


async def erase_person(tx: Transaction, person: str) -> None:
    """Nobody can be named any more as author or reviewer; what was published stays."""
    await _rename_person(tx, person, None)


async def _rename_person(tx: Transaction, person: str, into: str | None) -> None:
    for role in ("author", "reviewed_by"):
        await tx.update(ENTRIES, {role: person}, {"$set": {role: into}})
