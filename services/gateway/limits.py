"""How often anybody may ask: a token bucket per caller, in the memory of each instance of the gateway.

It is kept as GCRA, the form of the bucket that needs one number per caller: the moment at which the bucket would be
full again. So the limit of the platform is the sum of its gateways'; it protects from floods and counts nothing.
"""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

SWEEP_AT: Final = 10_000


class Limiter:
    """Token buckets that hold ``burst`` requests and gain ``rate`` per second; a rate of 0 lets everything pass."""

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._depth = self._interval * burst
        self._full_at: dict[str, float] = {}
        self._sweep_at = SWEEP_AT

    def wait(self, caller: str, now: float) -> float:
        """Takes one token. Returns 0, or the seconds after which there will be one when there is none.

        ``now`` is in seconds on any clock that only goes forward.
        """
        if not self._interval:
            return 0.0
        full_at = max(self._full_at.get(caller, now), now) + self._interval
        # A millionth of a second of grace, so that adding up intervals does not cost a token.
        if full_at - now > self._depth + 1e-6:
            return full_at - now - self._depth
        self._full_at[caller] = full_at
        if len(self._full_at) > self._sweep_at:
            self._sweep(now)
        return 0.0

    def _sweep(self, now: float) -> None:
        """Forgets full buckets, which are as good as new ones."""
        self._full_at = {caller: at for caller, at in self._full_at.items() if at > now}
        self._sweep_at = max(SWEEP_AT, 2 * len(self._full_at))


def bucket_of(address: str) -> str:
    """Whose bucket an address takes from: an IPv4 address its own, an IPv6 address that of its /64.

    One household or office holds a whole /64 (RFC 6177), so single IPv6 addresses would be no limit at all.
    """
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, 64), strict=False))
