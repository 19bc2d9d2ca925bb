"""What all use cases share: who manages a call, who a city is today, and refusals as problems."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from services.cohort_selection.domain.faults import Fault, ForbiddenTransition
from services.cohort_selection.domain.states import CallState, Machine, S
from services.cohort_selection.store import CALLS, CITIES, MEMBERS, PERSONS, Call
from shared import context, problems
from shared.identity import Caller
from shared.problems import Problem, conflict, forbidden, not_found
from shared.store import Reader, Store, Transaction

MANAGER: Final = "programme-manager"
REVIEWER: Final = "reviewer"

T = TypeVar("T")


def has_role(caller: Caller, role: str, call: Call) -> bool:
    """Whether the caller holds the role for this call: for it alone, for its programme, or everywhere."""
    return any(caller.has_role(role, scope=scope) for scope in (("call", call.id), ("programme", call.programme)))


def require_role(caller: Caller, role: str, call: Call) -> None:
    """Raises a 403 problem unless the caller holds the role for this call."""
    if not has_role(caller, role, call):
        raise forbidden(f"This needs the role {role} for this call.")


async def call_of(reader: Reader, call_id: str, caller: Caller) -> Call:
    """A call that the caller may know of. Raises a 404 problem; drafts are known to their managers alone."""
    call = await reader.get(CALLS, call_id)
    if call is None or (call.state is CallState.DRAFT and not has_role(caller, MANAGER, call)):
        raise not_found("call", call_id)
    return call


async def managed_call(reader: Reader, call_id: str, caller: Caller) -> Call:
    """A call that the caller manages. Raises 404 and 403 problems."""
    call = await call_of(reader, call_id, caller)
    require_role(caller, MANAGER, call)
    return call


def step(machine: Machine[S], present: S, wanted: S) -> S:
    """The wanted state. Raises a 409 problem when the present one does not allow it."""
    try:
        return machine.go(present, wanted)
    except ForbiddenTransition as error:
        raise conflict("wrong-state", str(error), present=present, wanted=wanted) from None


async def commit(store: Store, work: Callable[[Transaction], Awaitable[T | Problem]], *, turn: str | None = None) -> T:
    """Runs work that may end in a refusal which is itself recorded: it commits, then the problem is raised.

    ``turn`` as in :meth:`Store.transaction`.
    """
    key = context.current().idempotency
    refused: Problem | None = None

    async def run(tx: Transaction) -> Any:
        nonlocal refused
        result = await work(tx)
        refused = result if isinstance(result, Problem) else None
        if key is not None:
            context.amend(idempotency=replace(key, status=refused.status if refused else key.status))
        return problems.body(refused) if refused else result

    result: T = await store.transaction(run, turn=turn)
    if refused is not None:
        raise refused
    return result


def refusal(status: int, code: str, detail: str, faults: Sequence[Fault], **params: str | int) -> Problem:
    """A problem that names every fault."""
    errors = [
        {"code": fault.code, "field": fault.field, "message": fault.message, "params": fault.params} for fault in faults
    ]
    return Problem(status, code, detail, params=params, errors=errors)


def invalid(faults: Sequence[Fault]) -> Problem:
    """422: the request says something that cannot be, each with its field."""
    return refusal(422, "invalid", "Some fields of the request are not valid.", faults)


async def present_city(reader: Reader, city_id: str) -> str:
    """The city that this one is today, should it have turned out to be another."""
    seen = {city_id}
    while True:
        city = await reader.get(CITIES, city_id)
        if city is None or city.merged_into is None or city.merged_into in seen:
            return city_id
        city_id = city.merged_into
        seen.add(city_id)


async def present_cities(reader: Reader, cities: Iterable[str]) -> frozenset[str]:
    """The cities that these are today."""
    return frozenset([await present_city(reader, city) for city in cities])


async def cities_of(reader: Reader, person_id: str) -> frozenset[str]:
    """The cities that a person speaks for, also by the accounts that turned out to be its own."""
    accounts = {person_id, *(one.id for one in await reader.find(PERSONS, {"merged_into": person_id}))}
    members = await reader.find(MEMBERS, {"person_id": {"$in": sorted(accounts)}, "active": True})
    return await present_cities(reader, {member.city_id for member in members})


async def countries_of(reader: Reader, cities: Collection[str]) -> frozenset[str]:
    """The countries that these cities lie in."""
    found = await reader.find(CITIES, {"_id": {"$in": sorted(cities)}})
    return frozenset(city.authority.country for city in found if city.authority is not None)
