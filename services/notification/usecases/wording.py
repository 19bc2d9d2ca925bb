"""Makes messages' texts: looks up who is named in them and who reads them."""

from collections.abc import Mapping, Sequence

import structlog

from services.notification.store import Contact, Message
from services.notification.texts import Reader, Rendered, render
from services.notification.usecases.telling import contacts
from shared import store

log = structlog.get_logger()

NAMED = ("inviter", "person")
"""Facts that are people's ids."""


async def names_in(reader: store.Reader, messages: Sequence[Message]) -> dict[str, str]:
    """The names of the people that messages name, of those who are known and not erased."""
    ids = {id for message in messages for fact in NAMED if (id := message.facts.get(fact))}
    found = await contacts(reader, sorted(ids))
    return {id: contact.name for id, contact in found.items()}


def reader_of(contact: Contact | None, languages: Sequence[str] = ()) -> Reader:
    """A reader by the wanted languages, else by what is known of the person."""
    if contact is None:
        return Reader.of(languages, "UTC")
    return Reader.of([*languages, contact.locale], contact.time_zone, contact.name)


def word(message: Message, reader: Reader, names: Mapping[str, str]) -> Rendered | None:
    """The message's text, as of when it was made; None, with an alert, when template and facts do not fit."""
    try:
        return render(message.template, message.facts, reader, names=names, now=message.created_at)
    except Exception:
        # One message must not take all others of its reader, or of its batch, with it.
        log.exception("text-failed", message=message.id, template=message.template)
        return None
