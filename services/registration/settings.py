"""Settings of registration beside those of every service."""

from pydantic import Field, SecretStr

from shared.settings import Settings

LIMIT_WINDOW_SECONDS = 15 * 60
"""How long an attempt counts."""


class RegistrationSettings(Settings):
    """What differs between two deployments of registration."""

    key_encryption_key: SecretStr = Field(
        SecretStr(""), description="32 bytes, hex: encrypts the private signing keys in the store (AES-256-GCM)"
    )
    attempts_per_client: int | None = Field(
        None,
        ge=1,
        description="Sign-ins and requests for links from one network address in a quarter of an hour;"
        " by default 60 in production and 20000 on a local platform, where everybody comes from one address",
    )
    wrong_passwords_per_person: int = Field(5, ge=1, description="Wrong passwords for one mail address, same window")
    links_per_person: int = Field(5, ge=1, description="Links mailed to one mail address on request, same window")
    smallest_place: int = Field(
        0,
        ge=0,
        description="Inhabitants of the smallest places in the directory, 0 for all of them; with fewer places it loads"
        " faster. What is loaded stays until `python -m services.registration.load_places` is run, or a new release of"
        " the gazetteer comes",
    )
    signing_key_days: int = Field(30, ge=1, description="How long a signing key signs before the next one takes over")

    @property
    def client_limit(self) -> int:
        """The limit per network address that holds here."""
        return self.attempts_per_client or (60 if self.environment == "production" else 20_000)
