"""What differs between two gateways: where the services are, how much anybody may ask for, and for how long."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from pydantic import Field

from shared.settings import Settings

Network = IPv4Network | IPv6Network
PRIVATE_NETWORKS: tuple[Network, ...] = tuple(
    map(ip_network, ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)
"""Loopback, RFC 1918 and RFC 4193: where a platform's own monitoring runs."""


class GatewaySettings(Settings):
    """The gateway's settings beside those that every service has.

    ``upstreams`` is given as JSON, service -> base addresses of its instances:
    ``{"catalogue": ["http://catalogue:8000"], …}``. Rates are requests per second on average, bursts are what may
    come at once; a rate of 0 sets no limit.
    """

    upstreams: dict[str, list[str]] = Field(default_factory=dict)
    trusted_proxies: tuple[Network, ...] = Field((), description="Networks whose X-Forwarded-For is believed")
    metrics_from: tuple[Network, ...] = Field(PRIVATE_NETWORKS, description="Networks that may read /metrics")

    address_rate: float = Field(50, ge=0)
    address_burst: int = Field(300, ge=1)
    person_rate: float = Field(50, ge=0)
    person_burst: int = Field(300, ge=1)
    open_streams: int = Field(20, ge=1, description="Live updates that one person (or one address) may hold open")

    connect_seconds: float = Field(2, gt=0, description="To reach an instance of a service")
    total_seconds: float = Field(30, gt=0, description="From the request's arrival to the answer's end, streams apart")

    @property
    def https(self) -> bool:
        """Whether browsers reach the platform over https."""
        return self.public_url.startswith("https://")

    @property
    def origin(self) -> str:
        """The platform's origin, as browsers name it."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"
