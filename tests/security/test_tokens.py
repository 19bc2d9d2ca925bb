"""Tokens that are not good are refused at every door, and each for what it is."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Final

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from contracts.registration import SigningKeyPublished
from contracts.registry import SERVICES, STORING
from infra.local import HOST
from services.gateway.routes import PREFIX
from shared.identity import ALGORITHM, AUDIENCE, ISSUER, LEEWAY_SECONDS
from shared.ids import new_id
from shared.outbox import Tombstone
from shared.testing import Tokens, eventually
from tests.security.world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

ADMINISTRATOR: Final = [["administrator", "mission", "*"], ["operator", "mission", "*"]]
INVALID: Final = (401, "token-invalid")
EXPIRED: Final = (401, "token-expired")
GOOD: Final = (200, "")


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says, with changes; None takes a claim out."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": new_id("prs"), "iat": now, "exp": now + 300, "grants": ADMINISTRATOR}
    return {name: value for name, value in (good | changes).items() if value is not None}


def part(content: Any) -> str:
    """A part of a token, written by hand."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Signer(Tokens):
    """Signs whatever it is told to, with a key that the services believe."""

    def sign(self, head: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token with these claims and this head."""
        head = {"alg": ALGORITHM, "kid": self.kid} | (head or {})
        return jwt.encode(head, claims(**changes), self._key, algorithms=[ALGORITHM])

    def with_mac(self, algorithm: str, secret: bytes) -> str:
        """Key confusion: a token with a MAC, whose key is what everybody knows of the signing key."""
        signed = f"{part({'alg': algorithm, 'kid': self.kid})}.{part(claims())}"
        digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]
        return f"{signed}.{part(hmac.new(secret, signed.encode(), digest).digest())}"

    def public(self) -> list[bytes]:
        """The public key in the forms in which somebody could take it for a secret."""
        jwk = self.published().public_jwk
        pem = self._key.as_pem(private=False)
        return [
            pem,
            pem.strip(),
            json.dumps(jwk).encode(),
            base64.urlsafe_b64decode(jwk["x"] + "=="),
            jwk["x"].encode(),
        ]


async def said(world: World, service: str, authorization: str) -> tuple[int, str]:
    """Status and code that a request with this header gets: at a service's port, or from the gateway itself."""
    base = f"http://{HOST}:{world.stack.ports.service(service)}"
    path = f"{PREFIX}/session" if service == "gateway" else f"/{service}/dead-letters"
    answer = await world.http.get(base + path, headers={"Authorization": authorization})
    return answer.status_code, "" if answer.is_success else answer.json()["code"]


async def everywhere(world: World, authorization: str) -> set[tuple[int, str]]:
    """The same at every door, and through the gateway to every service."""
    found = {await said(world, service, authorization) for service in SERVICES}
    for service in STORING:
        url = world.url(f"/{service}/dead-letters", direct=False)
        answer = await world.http.get(url, headers={"Authorization": authorization})
        found.add((answer.status_code, "" if answer.is_success else answer.json()["code"]))
    return found


@pytest_asyncio.fixture(loop_scope="package")
async def signer(world: World) -> Signer:
    """Somebody whose signature every service believes."""
    signer = Signer()
    await world.topics.publish(signer.published())

    async def believed() -> bool:
        return await everywhere(world, f"Bearer {signer.sign()}") == {GOOD}

    await eventually(believed, "the key is known everywhere")
    return signer


async def test_the_time_of_a_token_is_judged_with_a_little_patience(world: World, signer: Signer) -> None:
    now = int(time.time())
    cases: dict[tuple[int, str], list[dict[str, Any]]] = {
        EXPIRED: [{"exp": now - LEEWAY_SECONDS - 5}, {"exp": 0}],
        INVALID: [
            {"nbf": now + LEEWAY_SECONDS + 60},
            {"iat": now + LEEWAY_SECONDS + 60},
            {"exp": "tomorrow"},
            {"exp": [now + 300]},
        ],
        # Clocks of two machines are never the same; by how much is said in shared/identity.py.
        GOOD: [{"exp": now - LEEWAY_SECONDS + 25}, {"nbf": now + LEEWAY_SECONDS - 25}],
    }
    for expected, tokens in cases.items():
        for changes in tokens:
            assert await everywhere(world, f"Bearer {signer.sign(**changes)}") == {expected}, changes


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"iss": "somebody"},
        {"aud": None},
        {"aud": "another-platform"},
        {"aud": [AUDIENCE + "x"]},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": ["prs_1"]},
        {"grants": "administrator"},
        {"grants": [["administrator"] * 9]},
        {"grants": {"administrator": "mission"}},
        {"cities": "city_1"},
        {"cities": 5},
    ],
    ids=str,
)
async def test_a_token_that_does_not_say_what_it_must_is_refused(
    world: World, signer: Signer, changes: dict[str, Any]
) -> None:
    assert await everywhere(world, f"Bearer {signer.sign(**changes)}") == {INVALID}


async def test_a_token_that_nobody_here_signed_is_refused(world: World, signer: Signer) -> None:
    good = signer.sign()
    head, body, signature = good.split(".")
    other = OKPKey.generate_key("Ed25519")
    own_key = {"alg": ALGORITHM, "kid": signer.kid}
    embedded = own_key | {"jwk": {name: str(value) for name, value in other.as_dict(private=False).items()}}
    elliptic, rsa = ECKey.generate_key("P-256"), RSAKey.generate_key(2048)
    forged = {
        "none": f"{part({'alg': 'none', 'kid': signer.kid})}.{part(claims())}.",
        "None": f"{part({'alg': 'None', 'kid': signer.kid})}.{part(claims())}.{signature}",
        "no algorithm": f"{part({'kid': signer.kid})}.{body}.{signature}",
        "no signature": f"{head}.{body}.",
        "no signature at all": f"{head}.{body}",
        "another's signature": jwt.encode(own_key, claims(), other, algorithms=[ALGORITHM]),
        "a key that it brings along": jwt.encode(embedded, claims(), other, algorithms=[ALGORITHM]),
        "an unknown key": jwt.encode(own_key | {"kid": "key_x"}, claims(), other, algorithms=[ALGORITHM]),
        "no key": jwt.encode({"alg": ALGORITHM}, claims(), other, algorithms=[ALGORITHM]),
        "another algorithm": jwt.encode(own_key | {"alg": "ES256"}, claims(), elliptic, algorithms=["ES256"]),
        "a third algorithm": jwt.encode(own_key | {"alg": "RS256"}, claims(), rsa, algorithms=["RS256"]),
        "changed claims": f"{head}.{part(claims())}.{signature}",
        "a longer signature": f"{good}AAAA",
        "a fourth part": f"{good}.AAAA",
        "not a token": "x" * 500,
        "claims that are no object": f"{head}.{part([1])}.{signature}",
        "bytes that are no text": f"{head}.{part(bytes([255, 254]))}.{signature}",
    }
    forged |= {
        f"{algorithm} with the public key, form {form}": signer.with_mac(algorithm, secret)
        for algorithm in ("HS256", "HS512")
        for form, secret in enumerate(signer.public())
    }
    for what, token in forged.items():
        assert await everywhere(world, f"Bearer {token}") == {INVALID}, what
    for scheme in ("Basic eDp5", "Bearer", good, f"Token {good}"):
        assert await everywhere(world, scheme) == {INVALID}, scheme
    assert await everywhere(world, f"bearer {good}") == {GOOD}


async def test_a_key_that_was_withdrawn_is_believed_no_more(world: World, signer: Signer) -> None:
    await world.topics.publish(Tombstone(SigningKeyPublished), subject=signer.kid)
    token = f"Bearer {signer.sign()}"

    async def refused() -> bool:
        return await everywhere(world, token) == {INVALID}

    await eventually(refused, "no service believes the key")
