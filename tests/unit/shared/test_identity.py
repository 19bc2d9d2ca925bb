"""Tokens that were found good are remembered, and not for longer than they are good."""

import time

import pytest
from joserfc.jwk import OKPKey

from shared.identity import LEEWAY_SECONDS, Caller, KeyRing, issue
from shared.problems import Problem

KEY = OKPKey.generate_key("Ed25519")
ISSUED_TO = Caller("prs_1", frozenset({"city_1"}))


@pytest.fixture
def ring() -> KeyRing:
    """Trusts the key ``k1``."""
    found = KeyRing({})
    found.add("k1", KEY.as_dict(private=False))
    return found


def refused(ring: KeyRing, token: str) -> str:
    """The code with which the token is refused."""
    with pytest.raises(Problem) as problem:
        ring.verify(token)
    return problem.value.code


def test_a_remembered_token_is_refused_once_it_has_expired(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    token = issue(KEY, "k1", ISSUED_TO, 5 - LEEWAY_SECONDS)
    assert ring.verify(token) == ring.verify(token) == ISSUED_TO
    now, clock = time.time(), time.monotonic()
    monkeypatch.setattr(time, "time", lambda: now + 6)
    monkeypatch.setattr(time, "monotonic", lambda: clock + 6)
    assert refused(ring, token) == "token-expired"


def test_a_remembered_token_is_refused_once_its_key_is_withdrawn(ring: KeyRing) -> None:
    token = issue(KEY, "k1", ISSUED_TO, 300)
    assert ring.verify(token) == ISSUED_TO
    ring._apply("k1", None, [])
    assert refused(ring, token) == "token-invalid"


def test_one_that_was_remembered_makes_no_other_good(ring: KeyRing) -> None:
    token = issue(KEY, "k1", ISSUED_TO, 300)
    assert ring.verify(token) == ISSUED_TO
    other = issue(OKPKey.generate_key("Ed25519"), "k1", ISSUED_TO, 300)
    assert refused(ring, other) == "token-invalid"
