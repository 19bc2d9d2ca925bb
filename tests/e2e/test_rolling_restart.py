"""A service is restarted while people use it, and nobody notices."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from tests.e2e.people import Person
from tests.e2e.running import Platform

CLIENTS = 4


def test_a_rolling_restart_fails_no_request(platform: Platform) -> None:
    reader = Person(platform, "reads-during-restart@city.example").sign_up().sign_in()
    before = platform.process("registration-0").pid
    done = threading.Event()
    numbers = count()
    answers: Counter[tuple[str, int]] = Counter()

    def use(_: int) -> None:
        headers = {"Authorization": f"Bearer {reader.token}"}
        with platform.client() as client:
            while not done.is_set():
                account = Person(platform, f"restart-{next(numbers)}@city.example").account()
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
            platform.run("restart", "registration")
        finally:
            done.set()
        for each in working:
            each.result()
    assert platform.process("registration-0").pid not in (None, before)
    assert answers.keys() == {("sign up", 202), ("read", 200), ("read as oneself", 200)}, answers
