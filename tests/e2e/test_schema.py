"""Every operation of the merged document succeeds, and whatever is asked by whom, every answer is one that it knows."""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.e2e.api import Api, Case
from tests.e2e.happy_paths import accounts, calendar, cities, offer, operations, selection
from tests.e2e.happy_paths.world import World
from tests.e2e.people import Hire, Officer, Person, Places
from tests.e2e.running import Platform

ROLES: Final = ("helpdesk", "programme-manager", "reviewer", "editor", "organiser", "operator", "administrator")
DRAWN: Final = 2
"""So many requests of each kind for each operation."""

OTHERS: Final = 1
"""So many others send each request beside the one who succeeded with the operation: all of them, in turn."""

STREAM: Final = "GET /stream"
"""Its answer has no end; the journeys follow it."""

LAST: Final = ("POST /people/{person}/merge", "DELETE /people/{person}", "DELETE /me", "POST /auth/signing-keys")
"""What takes the callers' accounts and tokens away."""

ODD: Final[tuple[Any, ...]] = (
    *("", "x" * 10_000, "\x00", "\u202e", "2024-02-30", "2024-02-30T25:00:00", "Europe/Atlantis", "not-an-id"),
    *(None, True, -1, 2**63, 1e300, [], [[]], {}, {"$ne": None}),
)
"""What somebody may write where something else is expected."""

BOUNDED: Final = settings(
    max_examples=DRAWN,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def world(platform: Platform, hire: Hire, officer: Officer, places: Places, administrator: Person) -> World:
    """The platform after everything has been done on it once."""
    world = World(platform, Api(platform), hire, officer, places, administrator)
    world.people = {role: hire(role, mail=f"schema-{role}@mission.example") for role in ROLES}
    world.people["anybody"] = world.somebody("anybody")
    world.people["member"], world.city = officer("Leiria")
    for part in (cities, offer, calendar, selection, operations, accounts):
        part.walk(world)
    headers = {"Authorization": f"Bearer {world.people['member'].renew().token}"}
    with platform.client() as client, client.stream("GET", "/api/v1/stream", headers=headers) as stream:
        assert stream.status_code == httpx.codes.OK
    return world


def test_every_operation_succeeds_and_answers_as_documented(world: World) -> None:
    missing = sorted(world.api.operations.keys() - world.api.reached.keys() - {STREAM})
    assert not missing, f"add a call that succeeds to tests/e2e/happy_paths: {missing}"


def test_no_request_of_anybody_breaks_an_operation(world: World, subtests: pytest.Subtests) -> None:
    others = cycle([None, *(person.renew() for person in world.people.values())])
    for name in sorted(world.api.operations.keys() - {STREAM}, key=turn):
        _, who = world.api.reached[name][-1]
        with subtests.test(operation=name):
            for strategy in requests(world.api, name):
                send_all(world.api, strategy, who, others)


def turn(name: str) -> tuple[int, str]:
    """When an operation has its turn."""
    return LAST.index(name) + 1 if name in LAST else 0, name


def requests(api: Api, name: str) -> Iterator[st.SearchStrategy[Case]]:
    """Requests as the document has them, as it does not, and such that once succeeded with something odd in them."""
    operation, known = api.operations[name], st.sampled_from([case for case, _ in api.reached[name]])
    yield st.builds(at_what_is_there, operation.as_strategy(generation_mode=GenerationMode.POSITIVE), known)
    if operation.query or operation.body:
        yield operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    yield st.builds(with_something_odd, known, st.sampled_from(ODD), st.randoms(use_true_random=False))


def at_what_is_there(drawn: Case, known: Case) -> Case:
    """The drawn request at the address of one that has succeeded."""
    drawn.path_parameters = dict(known.path_parameters)
    return drawn


def with_something_odd(known: Case, odd: Any, random: Any) -> Case:
    """A request that has succeeded, with one value of its body or its query replaced."""
    body, query = known.body, dict(known.query)
    if isinstance(body, dict) and body:
        body = replaced(body, odd, random)
    elif query:
        query = replaced(query, str(odd), random)
    # Repeated under its key it would get its first answer again.
    headers = {name: value for name, value in known.headers.items() if name != "Idempotency-Key"}
    case: Case = known.operation.Case(
        path_parameters=dict(known.path_parameters),
        query=query,
        headers=headers,
        body=body,
        media_type=known.media_type,
    )
    return case


def replaced(value: Any, odd: Any, random: Any) -> Any:
    """The value with one of its parts, however deep, replaced."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        name = random.choice(sorted(value))
        return value | {name: replaced(value[name], odd, random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        return [*value[:at], replaced(value[at], odd, random), *value[at + 1 :]]
    return odd


def send_all(api: Api, strategy: st.SearchStrategy[Case], who: Person | None, others: Iterator[Person | None]) -> None:
    """The one who can, and some others, send the same requests, the same ones in every run."""

    @BOUNDED
    @given(strategy)
    def sent(case: Case) -> None:
        for caller in (who, *islice(others, OTHERS)):
            api.send(case, caller)

    sent()
