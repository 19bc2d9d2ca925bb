"""Makes messages' texts: looks up who is named in them and who reads them."""

from collections.abc import Mapping, Sequence

from services.notification.store import Contact, Message
from services.notification.texts import Reader, Rendered, render
from services.notification.usecases.telling import contacts
from shared import store

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


def word(message: Message, reader: Reader, names: Mapping[str, str]) -> Rendered:
    """The message's text, as of when it was made."""
    return render(message.template, message.facts, reader, names=names, now=message.created_at)
