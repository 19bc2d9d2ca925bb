"""Secrets of a local platform: made on first start, readable by their owner alone, never logged.

One directory per principal, one file per setting, named as pydantic-settings' ``secrets_dir`` expects it.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

GATEWAY_KEY = "mission_gateway_key"
"""32 bytes in hexadecimal, the same for every service: signs the gateway's internal header of arrival."""


def token() -> str:
    """A new password of 32 random bytes, in hexadecimal."""
    return secrets.token_hex(32)


def write_private(path: Path, content: str) -> None:
    """Writes a file that only its owner may read (mode 0600), whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    draft.replace(path)


class Secrets:
    """The secrets under one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def directory(self, principal: str) -> Path:
        """Where a principal's secrets are, one file per setting."""
        return self.root / principal

    def get(self, principal: str, name: str, make: Callable[[], str] = token) -> str:
        """A secret, made and written down when it is asked for the first time."""
        path = self.directory(principal) / name
        try:
            return path.read_text()
        except FileNotFoundError:
            self._write(path, make())
            return path.read_text()

    def put(self, principal: str, name: str, value: str) -> None:
        """Sets a secret that is derived from others, such as a connection string."""
        path = self.directory(principal) / name
        if not path.exists() or path.read_text() != value:
            self._write(path, value)

    def _write(self, path: Path, value: str) -> None:
        # Not left to the file's own making, which would give this folder the usual rights.
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, value)

    def kafka(self, principal: str) -> tuple[str, str]:
        """Kafka's user name and password of a principal."""
        self.put(principal, "mission_kafka_username", principal)
        return principal, self.get(principal, "mission_kafka_password")

    def principals(self) -> list[str]:
        """Every principal that has secrets here."""
        return sorted(path.name for path in self.root.iterdir()) if self.root.exists() else []
