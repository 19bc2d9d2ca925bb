"""What the mailed links of registration say and decide."""

from typing import Any

from fastapi import Request

from services.registration.api.auth import SessionView
from services.registration.api.common import keys_of
from services.registration.usecases import accounts, mailboxes, memberships, sessions
from services.registration.usecases.links import ACCEPT_INVITATION, SIGN_IN, VERIFY_MAIL, VERIFY_MAILBOX, links
from shared.links import Choice, Link
from shared.store import Reader, Transaction

router = links.router

INVITED_TO = {
    "en": "You are invited to act for {city} on this platform.",
    "pt": "Foi convidado a representar {city} nesta plataforma.",
    "de": "Sie sind eingeladen, auf dieser Plattform für {city} zu handeln.",
}


@links.on(
    VERIFY_MAIL,
    title={
        "en": "Confirm your mail address",
        "pt": "Confirme o seu endereço de correio eletrónico",
        "de": "Bestätigen Sie Ihre Mailadresse",
    },
    choices=[
        Choice(
            "confirm",
            {"en": "Confirm", "pt": "Confirmar", "de": "Bestätigen"},
            {
                "en": "Your mail address is confirmed. You can sign in now.",
                "pt": "O seu endereço está confirmado. Já pode iniciar sessão.",
                "de": "Ihre Mailadresse ist bestätigt. Sie können sich jetzt anmelden.",
            },
        )
    ],
)
async def verify_mail(tx: Transaction, link: Link, choice: str) -> dict[str, str]:
    """Verifies a person's mail address."""
    person = await accounts.verify_mail(tx, link)
    return {"person_id": person.id}


async def _session(request: Request, opened: Any) -> SessionView:
    store = request.app.state.service.store
    return SessionView.of(await sessions.complete(store, keys_of(request), opened))


@links.on(
    SIGN_IN,
    title={"en": "Sign in", "pt": "Iniciar sessão", "de": "Anmelden"},
    choices=[
        Choice(
            "sign-in",
            {"en": "Sign in", "pt": "Iniciar sessão", "de": "Anmelden"},
            {"en": "You are signed in.", "pt": "Sessão iniciada.", "de": "Sie sind angemeldet."},
        )
    ],
    answer=_session,
)
async def sign_in(tx: Transaction, link: Link, choice: str) -> sessions.Opened:
    """Signs a person in; the answer is a session."""
    return await sessions.by_link(tx, link)


async def _about_invitation(reader: Reader, link: Link, language: str) -> str | None:
    name = await memberships.describe_invitation(reader, link)
    return INVITED_TO[language].format(city=name) if name else None


@links.on(
    ACCEPT_INVITATION,
    title={"en": "Your invitation", "pt": "O seu convite", "de": "Ihre Einladung"},
    choices=[
        Choice(
            "accept",
            {"en": "Accept", "pt": "Aceitar", "de": "Annehmen"},
            {
                "en": "You act for your city from now on. Sign in with a link that we mail to you.",
                "pt": "Já representa o seu município. Inicie sessão com uma ligação enviada por correio.",
                "de": "Sie handeln ab jetzt für Ihre Stadt. Melden Sie sich mit einem Link an, den wir Ihnen mailen.",
            },
        ),
        Choice(
            "decline",
            {"en": "Decline", "pt": "Recusar", "de": "Ablehnen"},
            {"en": "You have declined.", "pt": "Recusou o convite.", "de": "Sie haben abgelehnt."},
        ),
    ],
    describe=_about_invitation,
)
async def answer_invitation(tx: Transaction, link: Link, choice: str) -> dict[str, str]:
    """Accepts or declines an invitation to a city."""
    membership = await memberships.answer_invitation(tx, link, choice == "accept")
    return {"membership_id": membership.id, "state": membership.state, "city_id": membership.city_id}


@links.on(
    VERIFY_MAILBOX,
    title={
        "en": "Confirm your city's mailbox",
        "pt": "Confirme a caixa de correio do município",
        "de": "Bestätigen Sie das Postfach Ihrer Stadt",
    },
    choices=[
        Choice(
            "confirm",
            {"en": "Confirm", "pt": "Confirmar", "de": "Bestätigen"},
            {"en": "The mailbox is confirmed.", "pt": "A caixa está confirmada.", "de": "Das Postfach ist bestätigt."},
        )
    ],
)
async def verify_mailbox(tx: Transaction, link: Link, choice: str) -> None:
    """Verifies a city's shared mailbox."""
    await mailboxes.verify(tx, link)
