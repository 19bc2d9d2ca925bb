"""Hands mails over to the mail server, over one connection, and notes each answer before the next mail goes out.

SMTP cannot be exactly-once: a mail whose acceptance was not noted is sent again. It is at most one for each crash of
a sender, because the last answer is durably noted before the next mail's content is sent; and it has the same
``Message-ID``, so that receivers can drop the repeat. While the server is away, mails wait without limit.
"""

import asyncio
import time
from email.utils import parseaddr
from typing import Final

import structlog
from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)
from opentelemetry import trace
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from contracts.notification import DeliveryState
from services.notification import domain
from services.notification.settings import NotificationSettings
from services.notification.usecases import delivery
from services.notification.usecases.delivery import Letter
from shared.ids import new_id
from shared.store import Store
from shared.telemetry import trace_of

BACKOFF_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
LOOK_SECONDS: Final = 2.0
"""A mail that becomes due, or whose sender has ended, is seen this much later at most."""
GATHER_SECONDS: Final = 0.2
"""How long mails gather between two rounds. A round asks the database a dozen times, for one mail as for fifty; only
the first mail after a calm goes out at once.
"""

IDLE_SECONDS: Final = 30.0
LINGER_SECONDS: Final = 5.0
"""How long a connection stays open that no mail needs."""
CLOSING: Final = 421
FINISH_SECONDS: Final = 5.0

MAILS = Counter("mission_mails_total", "Mails by what became of them", ["outcome"])
AWAY = Gauge("mission_mail_server_away", "Whether the mail server cannot be used")
WAITING = Gauge("mission_mails_waiting", "Mails that are not handed over yet, those due later included, 10,000 at most")

log = structlog.get_logger()
tracer = trace.get_tracer("mission")


class ServerAway(Exception):
    """The mail server cannot be used now; no mail is to blame."""


class Sender:
    """The background work that empties the queue. ``wake`` makes it look at once."""

    def __init__(self, settings: NotificationSettings) -> None:
        self._settings = settings
        self._instance = f"{settings.service}-{settings.instance}"
        self._from = parseaddr(settings.mail_from)[1]
        self._smtp: SMTP | None = None
        self._task: asyncio.Task[None] | None = None
        self._noting: asyncio.Task[None] | None = None
        self._used = 0.0
        self._ending = asyncio.Event()
        self.wake = asyncio.Event()

    def start(self, store: Store) -> None:
        """Begins to work, once."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(store), name="mail-sender")

    async def stop(self) -> None:
        """Finishes the mail in hand, notes it, and gives back what was claimed."""
        self._ending.set()
        self.wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=FINISH_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._noting is not None:
            await asyncio.wait([self._noting], timeout=FINISH_SECONDS)
        await self._hang_up()

    async def _work(self, store: Store) -> None:
        failures = 0
        resumed = False
        looked = -LOOK_SECONDS
        while not self._ending.is_set():
            self.wake.clear()
            try:
                if not resumed:
                    # What this instance had in hand when it was killed need not wait for the claim's end.
                    await delivery.resume(store, self._instance)
                    resumed = True
                if time.monotonic() - looked >= LOOK_SECONDS:
                    WAITING.set(await delivery.waiting(store))
                    await delivery.settle(store)
                    looked = time.monotonic()
                dealt_with = await self._round(store)
                if not dealt_with:
                    await self._wait(store)
                elif dealt_with < delivery.BATCH:
                    await _happened(self._ending, GATHER_SECONDS)
                failures = 0
                AWAY.set(0)
            except Exception as error:
                # Nothing here may end all mail; what was claimed and is not sent comes again.
                expected = isinstance(error, (ServerAway, PyMongoError, OSError))
                if failures == 0 or not expected:
                    log.warning("mail-waits", error=repr(error.__cause__ or error), exc_info=not expected)
                AWAY.set(int(isinstance(error, ServerAway)))
                await self._hang_up()
                await _happened(self._ending, BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
                failures += 1

    async def _wait(self, store: Store) -> None:
        """Waits until there may be something to do; ends a connection that was not needed for a while."""
        if self._smtp is not None and time.monotonic() - self._used > LINGER_SECONDS:
            await self._hang_up()
        due = await delivery.next_due(store)
        seconds = IDLE_SECONDS if due is None else min(due.total_seconds(), LOOK_SECONDS)
        await _happened(self.wake, min(seconds, LINGER_SECONDS) if self._smtp is not None else seconds)

    async def _round(self, store: Store) -> int:
        """Sends what is due, at most one batch; returns how many mails that were."""
        token = f"{self._instance}/{new_id('clm')}"
        mails = await delivery.claim(store, token)
        if not mails:
            return 0
        last = time.monotonic() + delivery.CLAIM_SECONDS / 2
        try:
            for letter in await delivery.letters(store, mails, self._settings):
                if self._ending.is_set() or time.monotonic() > last:
                    break
                await self._deal_with(store, letter)
        finally:
            await self._noted()
            await delivery.release(store, token)
            await delivery.settle(store, token)
        return len(mails)

    async def _deal_with(self, store: Store, letter: Letter) -> None:
        mail = letter.mail
        parent = trace_of(mail.traceparent)
        with tracer.start_as_current_span("mail send", parent, kind=trace.SpanKind.CLIENT) as span:
            outcome, reason = letter.outcome, letter.reason
            if letter.content is None and outcome is None:
                outcome = await delivery.put_off(store, letter, reason or "")
            elif letter.content is not None:
                try:
                    await self._hand_over(letter.address, letter.content)
                    outcome = DeliveryState.SENT
                except SMTPResponseException as refusal:
                    reason = domain.smtp_reason(refusal.code, refusal.message)
                    if refusal.code < 500:
                        outcome = await delivery.put_off(store, letter, reason)
                    else:
                        to_blame = isinstance(refusal, SMTPRecipientRefused)
                        outcome = DeliveryState.BOUNCED if to_blame else DeliveryState.FAILED
            span.set_attributes({"mission.message": mail.id, "mission.outcome": outcome or "put-off"})
            MAILS.labels(outcome or "put-off").inc()
            if outcome is not None:
                await self._noted()
                tried = letter.content is not None
                self._noting = asyncio.create_task(self._note(store, letter, outcome, reason, tried))

    async def _note(
        self, store: Store, letter: Letter, outcome: DeliveryState, reason: str | None, tried: bool
    ) -> None:
        """Notes an answer, however long the database is away: to go on without would be to send the mail again."""
        failures = 0
        while True:
            try:
                await delivery.note(store, letter.mail, outcome, reason, tried=tried)
            except (PyMongoError, OSError) as error:
                log.warning("mail-not-noted", id=letter.mail.id, error=repr(error))
                await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
                failures += 1
            else:
                return

    async def _noted(self) -> None:
        """Waits until the last answer is noted."""
        if self._noting is not None:
            await asyncio.shield(self._noting)
            self._noting = None

    async def _hand_over(self, address: str, content: bytes) -> None:
        """Gives one mail to the server.

        Raises :class:`SMTPResponseException` when it refuses this mail, :class:`ServerAway` when it cannot be used.
        """
        try:
            smtp = await self._connected()
            await smtp.mail(self._from)
            try:
                await smtp.rcpt(address)
                await self._noted()
                await smtp.data(content)
            except (SMTPRecipientRefused, SMTPDataError) as refusal:
                if refusal.code == CLOSING:
                    raise ServerAway from refusal
                await smtp.rset()
                raise
        except (SMTPRecipientRefused, SMTPDataError):
            raise
        except (SMTPException, OSError, ValueError) as error:
            # A server that refuses the sender, the login or the greeting would refuse every mail.
            raise ServerAway from error
        self._used = time.monotonic()

    async def _connected(self) -> SMTP:
        if self._smtp is None or not self._smtp.is_connected:
            settings = self._settings
            smtp = SMTP(
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_username or None,
                password=settings.smtp_password.get_secret_value() or None,
                local_hostname=self._from.rpartition("@")[2],
                use_tls=settings.smtp_tls == "tls",
                start_tls=settings.smtp_tls == "starttls",
                cert_bundle=str(settings.smtp_ca_file) if settings.smtp_ca_file else None,
                timeout=settings.smtp_timeout_seconds,
            )
            await smtp.connect()
            self._smtp, self._used = smtp, time.monotonic()
        return self._smtp

    async def _hang_up(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None and smtp.is_connected:
            try:
                await smtp.quit(timeout=1)
            except (SMTPException, OSError):
                smtp.close()


async def _happened(event: asyncio.Event, seconds: float) -> bool:
    """Waits for an event, at most this long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
