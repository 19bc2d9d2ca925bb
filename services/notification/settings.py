"""What differs between two processes of notification: where mail is handed over, and who it is from."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from shared.settings import Settings


class NotificationSettings(Settings):
    """Notification's settings beside those that every service has."""

    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(8025, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_tls: Literal["none", "starttls", "tls"] = Field("none", description="tls is TLS from the first byte on")
    smtp_ca_file: Path | None = Field(None, description="Trusted instead of the system's authorities")
    smtp_timeout_seconds: float = Field(30, gt=0)
    mail_from: str = Field("Cities Mission Platform <no-reply@example.org>", description="Name and address (RFC 5322)")
    portal_url: str | None = Field(
        None, description="Where the portal's pages are; without it mails hold one-time links and no others"
    )
