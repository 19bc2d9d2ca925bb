"""The mailboxes that cities' people share."""

from dataclasses import dataclass

from contracts.registration import MailboxRecorded
from services.registration.store import CITIES, City
from services.registration.usecases import city_views
from services.registration.usecases.links import VALID, VERIFY_MAILBOX, links
from shared.identity import Caller
from shared.links import LINKS, Link
from shared.outbox import Tombstone
from shared.problems import conflict
from shared.store import Store, Transaction


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The mailbox that a city's people share."""

    mail_address: str
    locale: str


def fact(city: City) -> MailboxRecorded:
    """The event that tells the mailbox as it is now."""
    assert city.mail_address is not None
    return MailboxRecorded(
        city_id=city.id,
        mail_address=city.mail_address,
        mail_verified_at=city.mail_verified_at,
        locale=city.mail_locale or "en",
        time_zone=city.authority.time_zone,
    )


async def mail_link(tx: Transaction, city: City) -> None:
    """Has the link mailed that verifies the mailbox; earlier ones no longer work."""
    await tx.delete(LINKS, {"purpose": VERIFY_MAILBOX, "city_id": city.id})
    await links.issue(
        tx,
        VERIFY_MAILBOX,
        city_id=city.id,
        locale=city.mail_locale,
        expires_at=tx.clock.now() + VALID[VERIFY_MAILBOX],
        data={"mail_address": city.mail_address},
    )


async def change(store: Store, caller: Caller, city_id: str, mailbox: Mailbox | None) -> City:
    """Sets the shared mailbox, which a mailed link verifies, or removes it."""

    async def work(tx: Transaction) -> City:
        city = await city_views.changeable(tx, city_id, caller)
        had_one = city.mail_address is not None
        city = city.model_copy(
            update={
                "mail_address": mailbox.mail_address if mailbox else None,
                "mail_locale": mailbox.locale if mailbox else None,
                "mail_verified_at": None,
            }
        )
        if mailbox:
            city = await tx.save(CITIES, city, fact(city))
            await mail_link(tx, city)
        elif had_one:
            city = await tx.save(CITIES, city, Tombstone(MailboxRecorded))
        return city

    return await store.transaction(work)


async def verify(tx: Transaction, link: Link) -> None:
    """The link in a city's shared mailbox was used."""
    assert link.city_id is not None
    city = await tx.require(CITIES, link.city_id)
    if city.mail_address != link.data["mail_address"]:
        raise conflict("mailbox-changed", "The mailbox was changed in the meantime.")
    city = city.model_copy(update={"mail_verified_at": tx.clock.now()})
    await tx.save(CITIES, city, fact(city))
