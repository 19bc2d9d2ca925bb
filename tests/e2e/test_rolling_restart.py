"""A service is restarted while people use it, and nobody notices."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from tests.e2e.people import Person
from tests.e2e.running import Platform

CLIENTS = 4


@pytest.mark.parametrize("service", ["registration", "gateway"])
def test_a_rolling_restart_fails_no_request(platform: Platform, service: str) -> None:
    reader = Person(platform, f"reads-while-{service}-restarts@city.example").sign_up().sign_in()
    before = platform.process(f"{service}-0").pid
    done = threading.Event()
    numbers = count()
    answers: Counter[tuple[str, int]] = Counter()

    def use(_: int) -> None:
        headers = {"Authorization": f"Bearer {reader.token}"}
        with platform.client() as client:
            while not done.is_set():
                account = Person(platform, f"restart-of-{service}-{next(numbers)}@city.example").account()
                for what, answer in (
                    # Without an Idempotency-Key, so that nothing may send it twice.
                    ("sign up", client.post(f"{platform.api}/auth/sign-up", json=account)),
                    ("read", client.get(f"{platform.api}/cities")),
                    ("read as oneself", client.get(f"{platform.api}/me", headers=headers)),
                ):
                    answers[what, answer.status_code] += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        working = [pool.submit(use, number) for number in range(CLIENTS)]
        try:
            platform.run("restart", service)
        finally:
            done.set()
        for each in working:
            each.result()
    assert platform.process(f"{service}-0").pid not in (None, before)
    assert answers.keys() == {("sign up", 202), ("read", 200), ("read as oneself", 200)}, answers


def test_the_gateways_restart_does_not_wait_for_streams(platform: Platform) -> None:
    reader = Person(platform, "listens-during-restart@city.example").sign_up().sign_in()
    headers = {"Authorization": f"Bearer {reader.token}"}
    with platform.client() as client, client.stream("GET", f"{platform.api}/stream", headers=headers) as stream:
        platform.run("restart", "gateway")
        # It ends as a stream should, so that a browser opens another.
        for _ in stream.iter_bytes():
            pass
    with platform.client() as client, client.stream("GET", f"{platform.api}/stream", headers=headers) as stream:
        assert stream.status_code == 200
