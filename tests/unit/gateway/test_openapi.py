"""The merged document: names that do not clash, and what holds for all said once."""

import json
from typing import Any

from contracts.registry import SERVICES
from services.gateway.cookies import Cookies
from services.gateway.openapi import merged
from services.gateway.routes import ROUTES, SERVICE_OF, service_for


def document(path: str, **schemas: Any) -> dict[str, Any]:
    """A service's document with one operation that answers ``Page``."""
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}
    operation = {
        "operationId": "list_all",
        "tags": ["lists"],
        "security": [{"bearer": ["editor"]}],
        "responses": {"200": {"description": "OK", "content": answer}, "404": {"description": "None"}},
    }
    page = {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}
    return {
        "openapi": "3.1.0",
        "paths": {path: {"get": operation}, "/internal": {"get": operation}},
        "components": {"schemas": {"Page": page, **schemas}},
    }


def make(**documents: dict[str, Any]) -> dict[str, Any]:
    named = {service.replace("_", "-"): each for service, each in documents.items()}
    return merged(named, Cookies(https=True), "1")


def test_schemas_of_one_name_with_another_meaning_are_kept_apart_also_in_what_refers_to_them() -> None:
    result = make(
        catalogue=document("/catalogue/all", Item={"type": "string"}, Same={"type": "null"}),
        events_calendar=document("/events", Item={"type": "integer"}, Same={"type": "null"}),
    )
    schemas = result["components"]["schemas"]
    assert schemas.keys() == {
        *("Problem", "CataloguePage", "CatalogueItem", "EventsCalendarPage", "EventsCalendarItem", "Same"),
    }
    assert schemas["EventsCalendarPage"]["items"] == {"$ref": "#/components/schemas/EventsCalendarItem"}
    for reference in set(json.dumps(result).split('"$ref": "')[1:]):
        _, _, kind, name = reference.partition('"')[0].split("/")
        assert name in result["components"][kind]


def test_only_what_the_door_leads_to_is_in_it_under_names_of_its_own() -> None:
    result = make(catalogue=document("/catalogue/all", Item={}), events_calendar=document("/events", Item={}))
    assert result["paths"].keys() == {"/api/v1/catalogue/all", "/api/v1/events"}
    operations = [item["get"] for item in result["paths"].values()]
    assert {each["operationId"] for each in operations} == {"catalogue_list_all", "events_calendar_list_all"}
    assert [tag["name"] for tag in result["tags"]] == ["catalogue: lists", "events-calendar: lists"]
    for each in operations:
        assert each["security"] == [{"bearer": ["editor"]}, {"cookie": ["editor"]}]
        assert "application/problem+json" in each["responses"]["404"]["content"]
        assert each["responses"].keys() == {"200", "404", "429", "504"}, "the door adds what it refuses itself"
    assert result["info"]["x-missing-services"] == ["cohort-selection", "notification", "registration"]


def test_every_service_has_its_line_and_every_segment_one_service() -> None:
    assert {*ROUTES, "gateway"} == set(SERVICES)
    assert len(SERVICE_OF) == sum(map(len, ROUTES.values()))
    assert service_for("/api/v1/catalogue/entries") == ("catalogue", "catalogue")
    assert service_for("/api/v1/stream") == ("notification", "stream")
    for path in ("/api/v1/session", "/api/v1/docs", "/catalogue/entries", "/api/v1/", "/metrics"):
        assert service_for(path) is None
