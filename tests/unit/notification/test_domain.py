"""The rules: whose messages they are, which language wins, when a mail is tried again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.notification import MessageClass, MessageCreated
from services.notification import domain


def test_the_same_fact_told_to_the_same_reader_is_the_same_message() -> None:
    one = domain.message_id("event-1", "prs_1", "welcome")
    assert one == domain.message_id("event-1", "prs_1", "welcome")
    assert len({one, *(domain.message_id(*key) for key in KEYS)}) == 1 + len(KEYS)
    MessageCreated(
        message_id=one,
        recipient=domain.recipient("prs_" + "0" * 32),
        message_class=MessageClass.SERVICE,
        topic="account",
        template="welcome",
    )


KEYS = [("event-2", "prs_1", "welcome"), ("event-1", "prs_2", "welcome"), ("event-1", "prs_1", "call-opened")]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("sv, pt-BR;q=0.4, en;q=0.3", "pt"),
        ("en;q=0.1, pt;q=0.2", "pt"),
        ("pt;q=0, de;q=0.1", "de"),
        ("*", "en"),
        ("fr", None),
        ("", None),
        (";;;q=,,de;q=nonsense", None),
    ],
)
def test_the_most_wanted_language_that_there_is_wins(header: str, language: str | None) -> None:
    assert domain.choose_language(*domain.languages_of(header)) == language


@given(st.text(max_size=2000))
def test_any_accept_language_can_be_read(header: str) -> None:
    assert domain.choose_language(*domain.languages_of(header)) in {*domain.LANGUAGES, None}


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (550, "5.1.1 <x@example.com> User unknown", "no-such-user"),
        (552, "5.2.2 Mailbox full", "mailbox-full"),
        (554, "5.7.1 Message rejected as spam", "refused-by-policy"),
        (451, "4.7.1 Greylisted, come back", "refused-by-policy"),
        (550, "go away", "smtp-550"),
        (550, "5.9.9 unheard of", "smtp-550"),
    ],
)
def test_a_servers_refusal_becomes_a_code(code: int, text: str, reason: str) -> None:
    assert domain.smtp_reason(code, text) == reason


def test_a_mail_that_is_put_off_waits_longer_each_time_up_to_hours() -> None:
    waits = [domain.retry_after(attempt) for attempt in range(1, 40)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(minutes=1), timedelta(hours=4))


@pytest.mark.parametrize(
    ("scope", "looks_after"),
    [
        (("mission", None), True),
        (("country", "PT"), True),
        (("country", "ES"), False),
        (("city", "city_1"), True),
        (("city", "city_2"), False),
        (("programme", "PT"), False),
    ],
)
def test_helpdesk_agents_hear_of_the_cities_that_they_look_after(
    scope: tuple[str, str | None], looks_after: bool
) -> None:
    assert domain.responsible(*scope, city="city_1", country="PT") is looks_after


def test_what_is_mailed_needs_no_consent() -> None:
    mailed = {kind.message_class for kind in domain.KINDS.values() if kind.mail}
    assert mailed <= {MessageClass.TRANSACTIONAL, MessageClass.SERVICE}
    links = {name: kind for name, kind in domain.KINDS.items() if name.startswith("link-")}
    assert all(kind.mail and kind.urgent and not kind.portal for kind in links.values())
    assert set(domain.LINKS.values()) <= set(links)
