"""What cohort selection keeps: its own aggregates, and projections of what others decide."""

from services.cohort_selection.store.calls import CALLS, INTAKES, VERSIONS, Call, CallVersion, Intake
from services.cohort_selection.store.decisions import (
    DECISIONS,
    PARTICIPATIONS,
    Decision,
    Participation,
    PendingAdjustment,
)
from services.cohort_selection.store.projections import (
    CITIES,
    COUNTRIES,
    MEMBERS,
    PERSONS,
    City,
    Country,
    Member,
    Person,
)
from services.cohort_selection.store.submissions import (
    APPLICATIONS,
    HOST_LISTS,
    REFUSALS,
    REVIEWS,
    REVISIONS,
    Application,
    HostList,
    Refusal,
    Review,
    Revision,
)
from shared.links import LINKS

COLLECTIONS = (
    CALLS,
    VERSIONS,
    INTAKES,
    APPLICATIONS,
    REVISIONS,
    REFUSALS,
    REVIEWS,
    HOST_LISTS,
    DECISIONS,
    PARTICIPATIONS,
    CITIES,
    COUNTRIES,
    MEMBERS,
    PERSONS,
    LINKS,
)

__all__ = [
    "APPLICATIONS",
    "CALLS",
    "CITIES",
    "COLLECTIONS",
    "COUNTRIES",
    "DECISIONS",
    "HOST_LISTS",
    "INTAKES",
    "MEMBERS",
    "PARTICIPATIONS",
    "PERSONS",
    "REFUSALS",
    "REVIEWS",
    "REVISIONS",
    "VERSIONS",
    "Application",
    "Call",
    "CallVersion",
    "City",
    "Country",
    "Decision",
    "HostList",
    "Intake",
    "Member",
    "Participation",
    "PendingAdjustment",
    "Person",
    "Refusal",
    "Review",
    "Revision",
]
