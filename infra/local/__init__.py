"""A real Kafka broker, a real MongoDB replica set and a real SMTP server on this machine, without Docker or Java."""

from typing import Final

HOST: Final = "127.0.0.1"
"""Everything local listens here and nowhere else."""
