"""Points: reviewers' scores, weighted by the rules, in exact whole numbers."""

from collections.abc import Collection, Mapping, Sequence
from math import lcm

from contracts.cohort_selection import Criterion
from services.cohort_selection.domain.faults import Fault

Scores = Mapping[str, int]
"""One reviewer's score per criterion."""


def wrong_scores(criteria: Sequence[Criterion], scores: Scores, field: str = "scores") -> list[Fault]:
    """What is wrong with a reviewer's scores: each criterion gets one whole number within its scale."""
    known = {criterion.code: criterion for criterion in criteria}
    faults = [
        Fault("criterion-unknown", f"{field}.{code}", f"There is no criterion {code}.", {"criterion": code})
        for code in scores
        if code not in known
    ]
    for code, criterion in known.items():
        params: dict[str, str | int] = {
            "criterion": code,
            "lowest": criterion.lowest,
            "highest": criterion.highest,
        }
        if code not in scores:
            faults.append(Fault("score-missing", f"{field}.{code}", f"The criterion {code} has no score.", params))
        elif not criterion.lowest <= scores[code] <= criterion.highest:
            message = f"The score for {code} must be from {criterion.lowest} to {criterion.highest}."
            faults.append(Fault("score-off-scale", f"{field}.{code}", message, params))
    return faults


def scale(counts: Collection[int]) -> int:
    """How many points one weighted point of a mean counts: with it every mean over these many reviews is whole."""
    return lcm(*(count for count in counts if count > 0))


def points(criteria: Sequence[Criterion], reviews: Sequence[Scores], scale: int) -> int:
    """The mean over the reviews of the weighted sum of scores, times ``scale``; 0 without reviews or criteria.

    ``scale`` is a multiple of the number of reviews, so nothing is rounded.
    """
    if not reviews:
        return 0
    total = sum(criterion.weight * review[criterion.code] for review in reviews for criterion in criteria)
    return total * (scale // len(reviews))
