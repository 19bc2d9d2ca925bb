"""Which service answers what: the one table from a path's first segment to the service behind it.

A new service is one line here: ``/api/v1/<segment>/…`` goes as ``/<segment>/…`` to the service that lists it.
"""

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "/api/v1"

_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "registration": (
        *("auth", "links", "me", "cities", "places", "memberships", "helpdesk", "countries", "grants", "people"),
    ),
    "catalogue": (),
    "events-calendar": ("events", "sessions", "bookings", "feeds", "platforms"),
    "cohort-selection": ("calls", "applications", "reviews", "decisions", "participations"),
    "notification": ("inbox", "stream", "messages"),
}

ROUTES: Final[Mapping[str, tuple[str, ...]]] = {service: (service, *words) for service, words in _OWN.items()}
"""Each service also answers below its own name, where operators look after it."""

SERVICE_OF: Final[Mapping[str, str]] = {segment: service for service, names in ROUTES.items() for segment in names}


def service_for(path: str) -> tuple[str, str] | None:
    """The service that a public path belongs to, and the segment that decides it; None for the gateway's own paths."""
    if not path.startswith(PREFIX + "/"):
        return None
    segment = path[len(PREFIX) + 1 :].partition("/")[0]
    service = SERVICE_OF.get(segment)
    return None if service is None else (service, segment)
