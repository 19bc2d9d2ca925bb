"""Mailed links: an offer is accepted or declined by a button, without signing in."""

from contracts.common import best_text
from services.cohort_selection.store import CALLS, PARTICIPATIONS
from services.cohort_selection.usecases.offers import PURPOSE, links
from services.cohort_selection.usecases.participations import answer
from shared.links import Choice, Link
from shared.store import Reader, Transaction

__all__ = ["links"]


async def _describe(reader: Reader, link: Link, language: str) -> str | None:
    participation = await reader.get(PARTICIPATIONS, link.data["participation_id"])
    call = await reader.get(CALLS, participation.call_id) if participation is not None else None
    return best_text(call.title, [language])[1].text if call is not None else None


@links.on(
    PURPOSE,
    title={
        "en": "Does your city take the place that it is offered?",
        "pt": "O seu município aceita a vaga que lhe é oferecida?",
        "de": "Nimmt Ihre Stadt den angebotenen Platz an?",
    },
    choices=[
        Choice(
            "accept",
            {"en": "Yes, we take part", "pt": "Sim, participamos", "de": "Ja, wir nehmen teil"},
            {
                "en": "Thank you: your city takes part.",
                "pt": "Obrigado: o seu município participa.",
                "de": "Danke: Ihre Stadt nimmt teil.",
            },
        ),
        Choice(
            "decline",
            {"en": "No, leave it to another city", "pt": "Não, fica para outro", "de": "Nein, für eine andere Stadt"},
            {
                "en": "Thank you: the place goes to another city.",
                "pt": "Obrigado: a vaga fica para outro município.",
                "de": "Danke: der Platz geht an eine andere Stadt.",
            },
        ),
    ],
    describe=_describe,
    revisable=True,
)
async def on_answer(tx: Transaction, link: Link, choice: str) -> dict[str, str]:
    """Answers the offer in the name of the link's receiver."""
    participation = await answer(tx, link.data["participation_id"], takes=choice == "accept", person=link.person_id)
    return {"participation_id": participation.id, "state": participation.state}
