"""Which headers pass the door, and which it adds."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Final

from services.gateway.routes import PREFIX, SERVICE_OF
from services.gateway.settings import Network
from shared.admission import NOT_TAKEN_HEADER
from shared.identity import ARRIVAL_HEADER

Header = tuple[bytes, bytes]

HOP_BY_HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authorization"),
    }
)
"""They belong to one connection (RFC 9110, section 7.6.1)."""

FROM_OUTSIDE_DROPPED: Final = HOP_BY_HOP | {
    # What only the gateway may say.
    *(ARRIVAL_HEADER.encode(), b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"),
    *(b"x-real-ip", b"x-request-id", b"traceparent", b"tracestate", b"baggage"),
    # What the door itself has answered or used.
    *(b"host", b"cookie", b"expect", b"x-csrf-token"),
}
FROM_SERVICE_DROPPED: Final = HOP_BY_HOP | {b"date", b"server", b"x-request-id", NOT_TAKEN_HEADER.encode()}

PAGE_POLICY: Final = (
    b"default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none';"
    b" frame-ancestors 'none'"
)
"""Content Security Policy of pages: no script at all, and forms that only lead back here."""

DATA_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"
"""Content Security Policy of everything else (OWASP REST Security Cheat Sheet, "Security Headers")."""

ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not "no-referrer": under it browsers send "Origin: null" with forms of our own pages (Fetch standard, 4.6.2).
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)
ONLY_HTTPS: Final[Header] = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


def value(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The first header of this (lower-case) name."""
    return next((content for key, content in headers if key == name), None)


def to_service(headers: Iterable[Header]) -> list[tuple[str, str]]:
    """What of a request's headers is handed on."""
    headers = list(headers)
    dropped = FROM_OUTSIDE_DROPPED | _named_by_connection(headers)
    return [(name.decode("latin-1"), content.decode("latin-1")) for name, content in headers if name not in dropped]


def from_service(raw: Sequence[Header]) -> list[Header]:
    """What of a service's headers is handed back; a ``Location`` on the service becomes one on the platform."""
    headers = [(name.lower(), content) for name, content in raw]
    dropped = FROM_SERVICE_DROPPED | _named_by_connection(headers)
    return [
        (name, _public_location(content) if name == b"location" else content)
        for name, content in headers
        if name not in dropped
    ]


def _named_by_connection(headers: Iterable[Header]) -> set[bytes]:
    return {
        token.strip().lower() for name, content in headers if name == b"connection" for token in content.split(b",")
    }


def _public_location(location: bytes) -> bytes:
    segment = location[1:].partition(b"/")[0].partition(b"?")[0]
    of_service = location.startswith(b"/") and segment.decode("latin-1") in SERVICE_OF
    return PREFIX.encode() + location if of_service else location


def secured(headers: list[Header], *, https: bool) -> list[Header]:
    """A response's headers with those that make browsers careful; what the service has said itself stays."""
    said = {name for name, _ in headers}
    page = (value(headers, b"content-type") or b"").startswith(b"text/html")
    added = [
        *ALWAYS,
        (b"content-security-policy", PAGE_POLICY if page else DATA_POLICY),
        (b"cache-control", b"no-store"),
    ]
    if https:
        added.append(ONLY_HTTPS)
    return headers + [(name, content) for name, content in added if name not in said]


def client_address(peer: str, headers: Iterable[Header], trusted: Sequence[Network]) -> str:
    """The address that a request really comes from.

    ``X-Forwarded-For`` is believed only as far as trusted proxies wrote it: it is read from its end, and the first
    address that is not a trusted proxy's is the client. Anything before it may be made up.
    """
    if not trusted or not within(peer, trusted):
        return peer
    chain = b",".join(content for name, content in headers if name == b"x-forwarded-for").decode("latin-1")
    for hop in reversed([part.strip() for part in chain.split(",") if part.strip()]):
        try:
            ip_address(hop)
        except ValueError:
            break
        peer = hop
        if not within(hop, trusted):
            break
    return peer


def within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks; False for what is no address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
