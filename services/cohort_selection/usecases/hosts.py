"""Hosts see who would come, and say in which order they want them."""

from typing import Any

from contracts.cohort_selection import Host, HostPreferencesRecorded
from services.cohort_selection.api.answers import HostListShown
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.states import ApplicationState, CallState
from services.cohort_selection.store import APPLICATIONS, HOST_LISTS, Call, HostList
from services.cohort_selection.usecases.common import MANAGER, call_of, has_role, invalid, present_cities
from shared.identity import Caller
from shared.problems import conflict, forbidden, not_found
from shared.store import Reader, Store, Transaction

RANKING = (CallState.REVIEW, CallState.DECISION)


async def candidates(reader: Reader, caller: Caller, call_id: str, host_id: str) -> dict[str, Any]:
    """What fits the submitted applications that accept the host, once the window has closed. Raises 403, 404, 409."""
    call, host = await _host(reader, caller, call_id, host_id)
    return _accepting(call, host)


async def record(
    store: Store, caller: Caller, call_id: str, host_id: str, applications: tuple[str, ...]
) -> HostListShown:
    """Records a host's list, which replaces an earlier one.

    Raises 403, 404, 409 before the window has closed and after the decision, 422 for applications that are there twice
    or that do not accept this host.
    """

    async def work(tx: Transaction) -> HostListShown:
        call, host = await _host(tx, caller, call_id, host_id)
        known = {one.id for one in await tx.find(APPLICATIONS, _accepting(call, host))}
        faults = []
        for place, application in enumerate(applications):
            field = f"applications.{place}"
            if application not in known:
                faults.append(Fault("application-unknown", field, "No such application accepts this host."))
            elif application in applications[:place]:
                faults.append(Fault("preference-repeated", field, "An application can be named once."))
        if faults:
            raise invalid(faults)
        earlier = await tx.get(HOST_LISTS, host.host_id)
        version = earlier.version if earlier is not None else 0
        record = HostList(id=host.host_id, version=version, call_id=call.id, applications=applications)
        event = HostPreferencesRecorded(call_id=call.id, host_id=host.host_id, applications=applications)
        return HostListShown.of(await tx.save(HOST_LISTS, record, event))

    return await store.transaction(work)


async def _host(reader: Reader, caller: Caller, call_id: str, host_id: str) -> tuple[Call, Host]:
    call = await call_of(reader, call_id, caller)
    host = next((one for one in call.rules.hosts if one.host_id == host_id), None)
    if host is None:
        raise not_found("host", host_id)
    if not await present_cities(reader, host.cities) & caller.cities and not has_role(caller, MANAGER, call):
        raise forbidden("Only members of the host's cities may do this.")
    if call.state not in RANKING:
        message = "Hosts rank applications between the end of the window and the decision."
        raise conflict("not-in-ranking", message, state=call.state)
    return call, host


def _accepting(call: Call, host: Host) -> dict[str, Any]:
    accepts = [{"preferences": host.host_id}, {"preferences": []}]
    return {"call_id": call.id, "state": ApplicationState.SUBMITTED, "$or": accepts}
