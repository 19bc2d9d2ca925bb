"""A real SMTP server for development: every accepted message is a file in a Maildir.

``python -m infra.local.mail --port 8085 --maildir .local/mail``
"""

import argparse
import asyncio
import os
import signal
from pathlib import Path

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, Envelope, Session

from infra.local import HOST


class DurableMailbox(Mailbox):
    """Keeps a message on disk, file and directory entry, before the client is told that it was accepted."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Writes one message as it came, behind whom it was sent to; the library would take it apart first."""
        receivers = "".join(f"X-RcptTo: {receiver}\n" for receiver in envelope.rcpt_tos)
        content = envelope.original_content or b""
        # The standard library's Maildir syncs the file; the directory is left to us.
        self.mailbox.add(receivers.encode() + content.replace(b"\r\n", b"\n"))
        directory = os.open(Path(str(self.mail_dir)) / "new", os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return "250 OK"


async def serve(port: int, maildir: Path) -> None:
    """Accepts mail on loopback until the process is asked to end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    handler = DurableMailbox(maildir)
    server = await loop.create_server(lambda: SMTP(handler, enable_SMTPUTF8=True, hostname="localhost"), HOST, port)
    async with server:
        await ended.wait()


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(description="SMTP server for development that writes into a Maildir.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--maildir", type=Path, required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.maildir))


if __name__ == "__main__":
    main()
