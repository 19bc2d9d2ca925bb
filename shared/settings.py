"""Settings of a service process: environment variables with the prefix ``MISSION_``, secrets from files."""

import os
import socket
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that differs between two processes of the platform.

    Secrets are read from one file per setting in ``MISSION_SECRETS_DIR`` (the layout of Docker and Kubernetes
    secrets), named like the variable in lower case, such as ``mission_kafka_password``.
    """

    model_config = SettingsConfigDict(env_prefix="MISSION_", extra="ignore", frozen=True)

    environment: Literal["local", "test", "production"] = "local"
    service: str
    instance: str = Field(
        default_factory=socket.gethostname,
        pattern=r"^[\w.-]{1,100}$",
        description="Name of this process within its service, stable over restarts; the host's when left out",
    )
    public_url: str = "http://127.0.0.1:8080"

    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_PLAINTEXT"
    kafka_ca_file: Path | None = None
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")

    mongo_url: SecretStr = SecretStr("mongodb://127.0.0.1:27017/?replicaSet=rs0")
    mongo_database: str = ""

    gateway_key: SecretStr = Field(SecretStr(""), description="HMAC key, hex: arrival header of the gateway, cursors")
    clock_file: Path | None = Field(None, description="Shifts the clock of a local platform; refused in production")
    traces_file: Path | None = Field(None, description="Spans as JSON lines, for local work")
    otlp_endpoint: str | None = Field(None, description="OpenTelemetry collector, OTLP over HTTP")
    log_level: str = "INFO"
    max_body_bytes: int = Field(1024 * 1024, ge=1024)

    @property
    def database(self) -> str:
        """The service's own database: by setting, else its name with underscores."""
        return self.mongo_database or self.service.replace("-", "_")


def secrets_dir() -> str | None:
    """The folder that holds this process's secrets, or None when they come from the environment."""
    return os.environ.get("MISSION_SECRETS_DIR")
