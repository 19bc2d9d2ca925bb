"""The mailed links of registration. What each decides is registered in ``api/links.py``, its other door."""

from datetime import timedelta
from typing import Final

from shared.links import Links

links: Final = Links("/links", tag="registration")

VERIFY_MAIL: Final = "verify-mail"
SIGN_IN: Final = "sign-in"
ACCEPT_INVITATION: Final = "accept-invitation"
VERIFY_MAILBOX: Final = "verify-mailbox"

VALID: Final = {
    VERIFY_MAIL: timedelta(days=3),
    SIGN_IN: timedelta(minutes=30),
    ACCEPT_INVITATION: timedelta(days=14),
    VERIFY_MAILBOX: timedelta(days=14),
}
"""How long each kind of link works."""
