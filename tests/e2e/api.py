"""The platform's operations as its merged OpenAPI document describes them; every answer is held against it."""

from collections import defaultdict
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, TypeAlias
from uuid import uuid4

import requests
import schemathesis
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.people import Person
from tests.e2e.running import Platform, eventually

PREFIX: Final = "/api/v1"
CHECKS: Final = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NO_CREDENTIALS: Final = {"generation": {"with-security-parameters": False}}
"""Who asks is said by the test, not drawn."""


Case: TypeAlias = schemathesis.Case[Any]


class Api:
    """Calls operations by their names, such as ``POST /calls/{call_id}/publication``.

    ``reached`` has the calls that were answered with a 2xx and who made them, by operation.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._http = requests.Session()
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

        def whole() -> dict[str, Any] | None:
            document: dict[str, Any] = self._http.get(f"{platform.api}/openapi.json", timeout=60).json()
            return None if "x-missing-services" in document["info"] else document

        document = eventually(whole, "the document has every service", 90)
        assert document is not None
        config = schemathesis.Config.from_dict(NO_CREDENTIALS)
        found = [each.ok() for each in schemathesis.openapi.from_dict(document, config=config).get_all_operations()]
        self.operations = {f"{each.method.upper()} {each.path.removeprefix(PREFIX)}": each for each in found}
        self.reached: dict[str, list[tuple[Case, Person | None]]] = defaultdict(list)

    def send(self, case: Case, who: Person | None = None) -> schemathesis.Response:
        """Sends a request in somebody's name; the answer must be one that the document knows, and no failure."""
        headers = {"Authorization": f"Bearer {who.token}"} if who is not None and who.token else {}
        answer = case.call(session=self._http, base_url=self._platform.url, headers=headers)
        assert answer.status_code < 500, f"{case.method} {case.formatted_path}: {answer.text}"
        case.validate_response(answer, checks=CHECKS)
        return answer

    def do(
        self,
        operation: str,
        who: Person | None = None,
        body: Any = NOT_SET,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        soon: bool = False,
        **path: str | int,
    ) -> Any:
        """Calls an operation, which must succeed; what another service does not know yet is asked for again.

        Who has signed in goes on with a new token where the old one has expired.

        ``soon`` asks again, too, for what is not there yet: public pages of the catalogue are read from memory.
        """
        method = operation.partition(" ")[0]
        case = self.operations[operation].Case(
            path_parameters=dict(path),
            query=query,
            headers={**({"Idempotency-Key": uuid4().hex} if method == "POST" else {}), **(headers or {})},
            body=body,
            media_type=None if body is NOT_SET else "application/json",
        )

        def answered() -> schemathesis.Response | None:
            answer = self.send(case, who)
            if answer.status_code == 401 and who is not None and who.token:
                answer = self.send(case, who.renew())
            early = answer.status_code == 409 and answer.json()["code"] == "not-yet-known"
            return None if early or (soon and answer.status_code == 404) else answer

        answer = eventually(answered, f"{operation} finds what it refers to")
        assert answer is not None
        assert 200 <= answer.status_code < 300, f"{operation} was answered {answer.status_code}: {answer.text}"
        self.reached[operation].append((case, who))
        is_json = answer.headers.get("content-type", [""])[0].startswith("application/json")
        return answer.json() if is_json and answer.content else answer.text
