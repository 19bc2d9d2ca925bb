"""A real Kafka broker, a real MongoDB replica set and a real SMTP server on this machine, without Docker or Java."""
