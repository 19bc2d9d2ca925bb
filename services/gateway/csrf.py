"""Why a foreign page cannot act in the name of somebody who is signed in here by cookies.

Browsers send cookies with every request to us, whoever's page makes it. So a request that changes something and is
authenticated by cookie must prove that one of our own pages made it, as the OWASP Cross-Site Request Forgery
Prevention Cheat Sheet has it (cheatsheetseries.owasp.org):

- *Signed double submit*: the token that our pages read from a cookie and repeat in ``X-CSRF-Token``. It is bound to the
  person by an HMAC, so that a cookie planted by a neighbouring site is worth nothing.
- *Verifying origin*: ``Origin`` must be ours, and ``Sec-Fetch-Site`` must not say that another site asked.

A request with a bearer token needs none of this: no browser sends one by itself. Mailed links' pages hold plain forms
and no script that could repeat a token; their POST carries the link's own secret and is handed on without the cookies'
identity, so it can only do what the link's receiver may. Requests that begin a session are held against their origin
too, so that nobody is signed in as somebody else behind their back.
"""

import hashlib
import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

from services.gateway.headers import Header, value
from shared.problems import Problem

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
HEADER: Final = b"x-csrf-token"


def new_token(key: str, person: str) -> str:
    """A fresh token for a person's session."""
    random = secrets.token_urlsafe(24)
    return f"{random}.{_mac(key, person, random)}"


def is_token_of(key: str, person: str, token: str) -> bool:
    """Whether this token was made here for this person."""
    random, _, mac = token.rpartition(".")
    return hmac.compare_digest(mac.encode(), _mac(key, person, random).encode())


def _mac(key: str, person: str, random: str) -> str:
    return hmac.new(b"csrf:" + key.encode(), f"{person}!{random}".encode(), hashlib.sha256).hexdigest()


def check_origin(headers: list[Header], own_origin: str) -> None:
    """Raises a 403 problem when a browser says that another site's page makes this request.

    Our own origin is the platform's public one, or the very host that the browser asked. ``null`` is what browsers
    send for pages that keep their address to themselves; then ``Sec-Fetch-Site`` decides.
    """
    origin = (value(headers, b"origin") or b"").decode("latin-1")
    site = value(headers, b"sec-fetch-site")
    host = (value(headers, b"host") or b"").decode("latin-1")
    ours = origin in ("", "null", own_origin) or urlsplit(origin).netloc == host
    if not ours or site not in (None, b"same-origin", b"none"):
        raise Problem(403, "foreign-origin", "This must be asked for from the platform's own pages.")


def check_token(headers: list[Header], cookie: str | None, key: str, person: str | None) -> None:
    """Raises a 403 problem unless the header repeats the cookie's token, and it is this person's when one is given."""
    repeated = (value(headers, HEADER) or b"").decode("latin-1")
    matches = bool(cookie) and hmac.compare_digest(repeated.encode(), (cookie or "").encode())
    if not matches or (person is not None and not is_token_of(key, person, repeated)):
        raise Problem(403, "csrf-token-missing", "Repeat the CSRF token of your session in the header X-CSRF-Token.")
