"""Who asks, and which headers pass."""

from ipaddress import ip_network

import pytest

from services.gateway import csrf, headers
from shared.problems import Problem

PROXIES = (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("peer", "chain", "expected"),
    [
        ("203.0.113.9", b"198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", b"198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", b"6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", b"6.6.6.6, nonsense", "10.0.0.1"),
        ("10.0.0.1", b"", "10.0.0.1"),
    ],
)
def test_only_what_trusted_proxies_wrote_is_believed(peer: str, chain: bytes, expected: str) -> None:
    assert headers.client_address(peer, [(b"x-forwarded-for", chain)], PROXIES) == expected


def test_without_trusted_proxies_the_header_is_worth_nothing() -> None:
    assert headers.client_address("10.0.0.1", [(b"x-forwarded-for", b"6.6.6.6")], ()) == "10.0.0.1"


def test_what_belongs_to_one_connection_or_to_the_gateway_alone_does_not_pass() -> None:
    given = [
        (b"connection", b"close, X-Own"),
        (b"x-own", b"1"),
        (b"mission-arrival", b"forged"),
        (b"x-forwarded-for", b"6.6.6.6"),
        (b"cookie", b"a=b"),
        (b"accept-language", b"pt"),
        (b"authorization", b"Bearer x"),
    ]
    assert headers.to_service(given) == [("accept-language", "pt"), ("authorization", "Bearer x")]


def test_a_place_on_a_service_becomes_one_on_the_platform() -> None:
    def passed(location: bytes) -> bytes:
        return dict(headers.from_service([(b"Location", location)]))[b"location"]

    assert passed(b"/catalogue/entries/ent_1") == b"/api/v1/catalogue/entries/ent_1"
    assert passed(b"/bookings?after=1") == b"/api/v1/bookings?after=1"
    assert passed(b"/api/v1/me") == b"/api/v1/me"
    assert passed(b"https://example.org/catalogue") == b"https://example.org/catalogue"


def test_what_a_service_says_for_its_page_stays() -> None:
    own = (b"content-security-policy", b"default-src 'self'")
    secured = headers.secured([own, (b"content-type", b"text/html")], https=True)
    assert [value for name, value in secured if name == own[0]] == [own[1]]
    assert b"strict-transport-security" in dict(secured)
    assert b"strict-transport-security" not in dict(headers.secured([], https=False))


OWN = "https://mission.example.org"


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({}, True),
        ({"origin": OWN}, True),
        ({"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"}, True),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "https://evil.example.com"}, False),
        ({"origin": "https://mission.example.org.evil.example.com"}, False),
        ({"origin": OWN, "sec-fetch-site": "same-site"}, False),
    ],
)
def test_only_our_own_pages_may_act_by_cookie(given: dict[str, str], allowed: bool) -> None:
    sent = [(name.encode(), value.encode()) for name, value in given.items()]
    if allowed:
        csrf.check_origin(sent, OWN)
    else:
        with pytest.raises(Problem, match="foreign-origin"):
            csrf.check_origin(sent, OWN)


def test_a_csrf_token_is_good_for_its_person_only() -> None:
    token = csrf.new_token("key", "prs_1")
    header = [(b"x-csrf-token", token.encode())]
    csrf.check_token(header, token, "key", "prs_1")
    for cookie, key, person in (
        (token, "key", "prs_2"),
        (token, "other", "prs_1"),
        ("x", "key", None),
        (None, "key", None),
    ):
        with pytest.raises(Problem, match="csrf-token-missing"):
            csrf.check_token(header, cookie, key, person)
    with pytest.raises(Problem, match="csrf-token-missing"):
        csrf.check_token([], "", "key", None)
