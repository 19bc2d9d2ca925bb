"""Makes the first operator: ``python -m services.registration.bootstrap --mail … [--password-stdin]``.

It writes straight into registration's store, through the same use cases as everybody; the running service's relay
publishes what happened. Running it again for the same address adds what is missing and changes nothing else.
"""

import argparse
import asyncio
import getpass
import sys

from pydantic import EmailStr, TypeAdapter, ValidationError

from contracts.registration import GrantScope, PersonState
from services.registration.settings import RegistrationSettings
from services.registration.store import COLLECTIONS, GRANTS, Person
from services.registration.usecases import accounts, grants, people
from shared import consumer, context, deadlines
from shared.clock import Clock
from shared.ids import new_id
from shared.settings import secrets_dir
from shared.store import Store, Transaction

ROLES = ("administrator", "helpdesk")
OPERATOR = "operator"
MINIMUM_LENGTH = 12


async def make_operator(store: Store, mail_address: str, password: str | None, names: tuple[str, str]) -> Person:
    """A person with a verified address who holds the operator's roles everywhere; made when there is none."""
    hashed = await accounts.hash_password(password) if password else None

    async def work(tx: Transaction) -> Person:
        person = await people.by_mail(tx, mail_address)
        if person is None:
            person = Person(
                id=new_id("prs"),
                state=PersonState.REGISTERED,
                origin=OPERATOR,
                given_name=names[0],
                family_name=names[1],
                created_at=tx.clock.now(),
                **people.addressed(mail_address),
            )
        person = await people.verify(tx, person, **({"password_hash": hashed} if hashed else {}))
        for role in ROLES:
            scope = GrantScope(kind="mission")
            if not await tx.count(GRANTS, {"person_id": person.id, "revoked_at": None, **grants.same(role, scope)}):
                await grants.give(tx, person.id, role, scope, granted_by=OPERATOR)
        return person

    with context.within(context.Context(actor=OPERATOR)):
        return await store.transaction(work)


async def run(
    settings: RegistrationSettings, mail_address: str, password: str | None, names: tuple[str, str]
) -> Person:
    """The same with a store of its own; works on a store that no service has used before."""
    clock = Clock(settings.clock_file if settings.environment != "production" else None)
    store = Store(settings.mongo_url.get_secret_value(), settings.database, "registration", clock)
    try:
        await store.prepare([*COLLECTIONS, *consumer.COLLECTIONS, deadlines.DEADLINES])
        return await make_operator(store, mail_address, password, names)
    finally:
        store.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Makes an operator: administrator and helpdesk.")
    parser.add_argument("--mail", required=True, help="mail address to sign in with")
    parser.add_argument("--given-name", default="Platform")
    parser.add_argument("--family-name", default="Operator")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    how.add_argument("--ask-password", action="store_true", help="ask for the password")
    arguments = parser.parse_args()
    try:
        address: str = TypeAdapter(EmailStr).validate_python(arguments.mail)
    except ValidationError:
        sys.exit(f"{arguments.mail} is not a mail address.")
    password = sys.stdin.readline().rstrip("\r\n") if arguments.password_stdin else None
    if arguments.ask_password:
        password = getpass.getpass("Password: ")
    if password is not None and len(password) < MINIMUM_LENGTH:
        sys.exit(f"The password must have at least {MINIMUM_LENGTH} characters.")
    settings = RegistrationSettings(_secrets_dir=secrets_dir(), service="registration")
    person = asyncio.run(run(settings, address, password, (arguments.given_name, arguments.family_name)))
    print(person.id)


if __name__ == "__main__":
    main()
