"""A service's document tells which problems each operation can answer, by what the operation takes."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path
from pydantic import BaseModel

from shared import documents
from shared.identity import Public, SignedIn
from shared.paging import CursorParam


class Thing(BaseModel):
    """Something to make."""

    name: str


router = APIRouter()


@router.get("/things")
async def list_things(_: Public, cursor: CursorParam = None) -> list[Thing]:
    return []


@router.post("/things", status_code=201)
async def make(body: Thing, _: SignedIn) -> Thing:
    return body


@router.get("/things/{thing}", responses={404: {"description": "It is gone"}, 410: {"description": "It was used"}})
async def read(thing: Annotated[int, Path()], _: Public) -> Thing:
    return Thing(name=str(thing))


def document() -> dict[str, Any]:
    app = FastAPI()
    app.include_router(router)
    documents.install(app)
    return app.openapi()


def test_what_an_operation_takes_says_how_it_can_refuse() -> None:
    paths = document()["paths"]
    expected = {
        ("/things", "get"): {"200", "400", "401", "422", "429", "503"},
        ("/things", "post"): {*("201", "400", "401", "403", "404", "409", "413", "415", "422", "429", "503")},
        ("/things/{thing}", "get"): {"200", "401", "404", "410", "422", "429", "503"},
    }
    assert {(path, method): set(paths[path][method]["responses"]) for path, method in expected} == expected


def test_every_refusal_is_a_problem_and_keeps_what_its_route_says_of_it() -> None:
    found = document()
    components = found["components"]
    assert components["schemas"].keys() == {"Problem", "Thing"}, "nothing is left of another form of errors"
    for _, _, operation in documents.operations(found):
        for status, response in operation["responses"].items():
            if status[0] in "45":
                name = response.get("$ref", "").rpartition("/")[2]
                content = (components["responses"][name] if name else response)["content"]
                assert content["application/problem+json"] == {"schema": {"$ref": "#/components/schemas/Problem"}}
    responses = found["paths"]["/things/{thing}"]["get"]["responses"]
    assert [responses[status]["description"] for status in ("404", "410")] == ["It is gone", "It was used"]
