"""A caller gets what it may have, and not more."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.limits import Limiter, bucket_of

GAPS = st.lists(st.floats(0, 3), min_size=1, max_size=80)


@given(GAPS, st.sampled_from([0.5, 1, 2, 10]), st.integers(1, 8))
def test_never_more_than_the_burst_and_the_rate_allow_and_a_told_wait_is_enough(
    gaps: list[float], rate: float, burst: int
) -> None:
    limiter = Limiter(rate, burst)
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        wait = limiter.wait("caller", now)
        if wait:
            now += wait
            assert limiter.wait("caller", now + 1e-5) == 0
        passed.append(now)
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + rate * (passed[last] - start) + 1e-3


def test_a_full_bucket_holds_the_burst_and_callers_do_not_share() -> None:
    limiter = Limiter(1, 3)
    assert [limiter.wait("one", 0) > 0 for _ in range(4)] == [False, False, False, True]
    assert limiter.wait("other", 0) == 0
    assert limiter.wait("one", 1.001) == 0


def test_no_rate_is_no_limit() -> None:
    assert not any(Limiter(0, 1).wait("caller", 0) for _ in range(100))


def test_an_ipv6_network_has_one_bucket_and_an_ipv4_address_its_own() -> None:
    assert bucket_of("2001:db8::1") == bucket_of("2001:db8::ffff:1") != bucket_of("2001:db8:0:1::1")
    assert bucket_of("192.0.2.1") != bucket_of("192.0.2.2")
    assert bucket_of("::ffff:192.0.2.1") == bucket_of("192.0.2.1")
