"""What goes into a decision, gathered from the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.cohort_selection import Rules
from services.cohort_selection.domain.canonical import seed_of
from services.cohort_selection.domain.deciding import Applicant, inputs_digest
from services.cohort_selection.domain.form import judged_answers
from services.cohort_selection.domain.states import ApplicationState, ReviewState
from services.cohort_selection.store import APPLICATIONS, HOST_LISTS, REVIEWS, Application, Call
from shared.store import Reader


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that the engine looks at."""

    rules: Rules
    applicants: tuple[Applicant, ...]
    lists: Mapping[str, Sequence[str]]
    seed: str

    @property
    def digest(self) -> str:
        """The digest that a decision names them by."""
        return inputs_digest(self.rules, self.applicants, self.lists, self.seed)


async def gather(reader: Reader, call: Call, rules: Rules) -> Inputs:
    """The submitted applications of a call with their reviews, the hosts' lists, and the lottery's seed."""
    submitted = {"call_id": call.id, "state": ApplicationState.SUBMITTED}
    applications = await reader.find(APPLICATIONS, submitted, sort=[("_id", 1)])
    reviews: dict[str, list[dict[str, int]]] = {application.id: [] for application in applications}
    recorded = {"call_id": call.id, "state": ReviewState.RECORDED}
    for review in await reader.find(REVIEWS, recorded, sort=[("_id", 1)]):
        if review.application_id in reviews:
            reviews[review.application_id].append(review.scores)
    lists = await host_lists(reader, call.id)
    return Inputs(
        rules=rules,
        applicants=tuple(applicant(rules, one, reviews[one.id]) for one in applications),
        lists=lists,
        seed=seed_of(call.id, (application.digest for application in applications)),
    )


async def host_lists(reader: Reader, call_id: str) -> dict[str, tuple[str, ...]]:
    """The lists that hosts of the call have given."""
    return {one.id: one.applications for one in await reader.find(HOST_LISTS, {"call_id": call_id}, sort=[("_id", 1)])}


def applicant(rules: Rules, application: Application, reviews: Sequence[Mapping[str, Any]] = ()) -> Applicant:
    """An application as the engine sees it."""
    return Applicant(
        id=application.id,
        city_id=application.city_id,
        facts=application.facts,
        answers=judged_answers(rules.form, application.answers),
        preferences=application.preferences,
        reviews=reviews,
    )
