"""The house rules that no type checker holds: rooms, docstrings against the registry, and who may call what."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from contracts import registry
from shared.identity import May

SERVICES = Path(__file__).resolve().parents[2] / "services"
ROOMS = {"__init__", "main", "api", "handlers", "usecases", "domain", "store", "settings", "data"}
OWN_TOPICS = ("dead-letters", "replays")


def package(service: str) -> str:
    return service.replace("-", "_")


def topics(docstring: str, direction: str) -> set[str]:
    """What a service's docstring says in its ``in:`` or ``out:`` lines."""
    lines = re.findall(rf"^{direction}: (.+)$", docstring, re.MULTILINE)
    return {name.strip() for line in lines for name in line.split(",")}


@pytest.mark.parametrize("service", registry.SERVICES)
def test_a_service_says_which_topics_it_reads_and_writes(service: str) -> None:
    docstring = importlib.import_module(f"services.{package(service)}").__doc__ or ""
    read = {topic.name for topic in registry.read_by(service)}
    written = {topic.name for topic in registry.written_by(service)}
    assert topics(docstring, "in") == {name for name in read if not name.endswith(OWN_TOPICS)}
    assert topics(docstring, "out") == {name for name in written if not name.endswith(OWN_TOPICS)}


@pytest.mark.parametrize("service", registry.STORING)
def test_a_service_has_the_same_rooms_as_every_other(service: str) -> None:
    rooms = {path.stem for path in (SERVICES / package(service)).iterdir() if path.name != "__pycache__"}
    assert {"__init__", "main", "api", "handlers", "usecases", "domain", "store"} <= rooms


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secrets that services cannot do without; nothing is connected."""
    monkeypatch.setenv("MISSION_KEY_ENCRYPTION_KEY", "00" * 32)
    monkeypatch.setenv("MISSION_GATEWAY_KEY", "00" * 32)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("service", registry.SERVICES)
def test_every_endpoint_says_who_may_call_it(service: str) -> None:
    app: FastAPI = importlib.import_module(f"services.{package(service)}.main").create_app()
    endpoints = [route for route in iter_route_contexts(app.routes) if route.include_in_schema and route.dependant]
    declared = {(path, method) for path, methods in app.openapi()["paths"].items() for method in methods}
    assert len(endpoints) >= len(declared) > 0, "every endpoint that is documented is looked at"
    silent = [f"{sorted(route.methods or ())} {route.path}" for route in endpoints if not says_who_may(route.dependant)]
    assert not silent, f"add `caller: Annotated[Caller, may(...)]` to {silent}"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("service", registry.SERVICES)
def test_no_request_waits_for_a_thread(service: str) -> None:
    app: FastAPI = importlib.import_module(f"services.{package(service)}.main").create_app()
    endpoints = [route for route in iter_route_contexts(app.routes) if route.include_in_schema and route.dependant]
    plain = set[str]().union(*(plain_ones(route.dependant) for route in endpoints))
    assert not plain, f"make these dependencies coroutines, which FastAPI runs at once: {plain}"


def plain_ones(dependant: Dependant) -> set[str]:
    """The dependencies that FastAPI runs in threads."""
    found = set[str]().union(*map(plain_ones, dependant.dependencies))
    for each in dependant.dependencies:
        call = each.call if inspect.isroutine(each.call) else type(each.call).__call__
        if not inspect.iscoroutinefunction(call):
            found.add(f"{getattr(each.call, '__module__', '')}.{getattr(each.call, '__qualname__', each.call)}")
    return found


def says_who_may(dependant: Dependant) -> bool:
    """Whether an endpoint's dependencies hold exactly one statement of who may call it."""
    return sum(isinstance(each.call, May) for each in dependant.dependencies) == 1
