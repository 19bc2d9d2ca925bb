"""Whether the service in this container is ready: ``python -m infra.compose.health``, exit code 0 or 1."""

import http.client
import sys


def ready(port: int = 8000) -> bool:
    """Whether ``/health/ready`` answers 200 within four seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    sys.exit(not ready())
