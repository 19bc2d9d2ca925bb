"""A call as its manager writes it: the contract's rules, strict and bounded, with wall-clock times for the window."""

from typing import Annotated

from pydantic import ConfigDict, Field, NaiveDatetime, StringConstraints
from pydantic.config import JsonDict

from contracts.common import Admission, CityId, HostId, LanguageTag, SessionId, Slug, TextOrigin, TimeZoneName
from shared.bodies import Body

Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Code = Annotated[Slug, Field(max_length=80)]
Value = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Number = Annotated[int, Field(ge=-(10**9), le=10**9)]


class TextBody(Body):
    """A text in one language."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    origin: TextOrigin = TextOrigin.HUMAN


Texts = Annotated[dict[LanguageTag, TextBody], Field(min_length=1, max_length=60)]


class MomentBody(Body):
    """A wall-clock time without offset, and its IANA zone."""

    local: Annotated[NaiveDatetime, Field(examples=["2027-09-10T17:00:00"])]
    zone: Annotated[TimeZoneName, Field(examples=["Europe/Brussels"])]


class WindowBody(Body):
    """When applications are taken."""

    opens: MomentBody
    closes: MomentBody
    grace_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0


class EligibilityRuleBody(Body):
    """One condition on an applicant."""

    code: Code
    kind: Code
    values: Annotated[tuple[Value, ...], Field(max_length=300)] = ()
    limit: Number | None = None
    field: Code | None = None
    sentence: Texts


class ChoiceBody(Body):
    """One of the answers that a field offers."""

    value: Code
    label: Texts


class FormFieldBody(Body):
    """A field of the form."""

    code: Code
    kind: Code
    label: Texts
    help: Texts | None = None
    required: bool = False
    judged: bool = False
    choices: Annotated[tuple[ChoiceBody, ...], Field(max_length=200)] = ()
    minimum: Number | None = None
    maximum: Number | None = None
    max_length: Annotated[int, Field(ge=1, le=20_000)] | None = None


class ReviewBody(Body):
    """How applications are reviewed."""

    per_application: Annotated[int, Field(ge=0, le=20)] = 1
    same_city_conflicts: bool = True
    same_country_conflicts: bool = True


class CriterionBody(Body):
    """What reviewers score; weights sum up to 100."""

    code: Code
    label: Texts
    weight: Annotated[int, Field(ge=1, le=100)]
    lowest: Annotated[int, Field(ge=-1000, le=1000)] = 0
    highest: Annotated[int, Field(ge=-1000, le=1000)] = 5


class SizeBandBody(Body):
    """Authorities with so many inhabitants."""

    code: Code
    from_inhabitants: Count = 0
    below_inhabitants: Count | None = None


class QuotaBody(Body):
    """Bounds on how many of the selected share a value of an attribute."""

    code: Code
    attribute: Code
    values: Annotated[tuple[Value, ...], Field(max_length=300)] = ()
    minimum: Count = 0
    maximum: Count | None = None


class HostBody(Body):
    """A host; without ``host_id`` it gets one."""

    host_id: HostId | None = None
    cities: Annotated[tuple[CityId, ...], Field(min_length=1, max_length=50)]
    title: Texts
    at_least: Annotated[int, Field(ge=0, le=10_000)] = 0
    at_most: Annotated[int, Field(ge=1, le=10_000)]
    topics: Annotated[tuple[Code, ...], Field(max_length=50)] = ()
    session_id: SessionId | None = None


class MatchingBody(Body):
    """How applicants and hosts are matched."""

    proposing: Code = "applicants"
    preferences_at_most: Annotated[int, Field(ge=0, le=10_000)] = 0
    host_order: Code = "score"


class OffersBody(Body):
    """How long an offer stands, and whether a place that comes free moves on by itself."""

    days: Annotated[int, Field(ge=1, le=365)]
    refill: bool = True


class MoneyBody(Body):
    """An amount in minor units."""

    minor_units: Count
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class RulesBody(Body):
    """The rules of a call."""

    window: WindowBody
    eligibility: Annotated[tuple[EligibilityRuleBody, ...], Field(max_length=60)] = ()
    form: Annotated[tuple[FormFieldBody, ...], Field(max_length=100)] = ()
    review: ReviewBody = ReviewBody()
    criteria: Annotated[tuple[CriterionBody, ...], Field(max_length=30)] = ()
    places: Annotated[int, Field(ge=1, le=10_000)]
    reserve: Annotated[int, Field(ge=0, le=10_000)] = 0
    size_bands: Annotated[tuple[SizeBandBody, ...], Field(max_length=30)] = ()
    quotas: Annotated[tuple[QuotaBody, ...], Field(max_length=60)] = ()
    hosts: Annotated[tuple[HostBody, ...], Field(max_length=300)] = ()
    matching: MatchingBody | None = None
    offers: OffersBody
    tie_break: Code = "lottery"
    representatives_at_most: Annotated[int, Field(ge=1, le=20)] = 2
    travel_money: MoneyBody | None = None
    illustrative: bool = False


EXAMPLE: JsonDict = {
    "programme": "twinning",
    "cohort": "twinning-2035",
    "title": {"en": {"text": "Twinning Learning Programme"}},
    "summary": {"en": {"text": "Twelve months of learning with a Mission City."}},
    "admission": "selected",
    "rules": {
        "window": {
            "opens": {"local": "2035-06-03T09:00:00", "zone": "Europe/Brussels"},
            "closes": {"local": "2035-09-10T17:00:00", "zone": "Europe/Brussels"},
        },
        "eligibility": [
            {
                "code": "eu-or-associated",
                "kind": "country-status",
                "values": ["eu", "associated"],
                "sentence": {"en": {"text": "Open to cities in the EU and in associated countries."}},
            }
        ],
        "form": [{"code": "motivation", "kind": "text", "label": {"en": {"text": "Why?"}}, "required": True}],
        "criteria": [{"code": "ambition", "label": {"en": {"text": "Ambition"}}, "weight": 100}],
        "places": 40,
        "reserve": 20,
        "quotas": [{"code": "per-country", "attribute": "country", "maximum": 4}],
        "offers": {"days": 14},
        "illustrative": True,
    },
}


class CallBody(Body):
    """A call: what it is, and the rules that it is decided by."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    programme: Annotated[Code, Field(examples=["twinning"])]
    cohort: Annotated[Code, Field(examples=["twinning-2027"])]
    title: Texts
    summary: Texts
    admission: Admission = Admission.SELECTED
    rules: RulesBody


class AmendmentBody(Body):
    """A change of a published call and its reason; what is left out stays. ``closes`` alone extends the window."""

    reason: Texts
    rules: RulesBody | None = None
    closes: MomentBody | None = None
    title: Texts | None = None
    summary: Texts | None = None
