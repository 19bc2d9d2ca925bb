"""How contract values are kept: as their JSON, so that wall-clock times and dates come back as they were."""

from typing import Annotated

from pydantic import PlainSerializer

from contracts.cohort_selection import ApplicantFacts, Result, Rules
from contracts.common import PlannedMoment

AS_JSON = PlainSerializer(lambda value: value.model_dump(mode="json"), when_used="unless-none")

KeptRules = Annotated[Rules, AS_JSON]
KeptFacts = Annotated[ApplicantFacts, AS_JSON]
KeptResult = Annotated[Result, AS_JSON]
KeptMoment = Annotated[PlannedMoment, AS_JSON]
