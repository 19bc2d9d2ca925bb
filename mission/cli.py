"""The command line: puts the groups of commands together, and says every error in one sentence."""

import logging
import sys

import typer
from confluent_kafka import KafkaException

from infra.local.errors import LocalError
from mission import place
from mission.commands import clock, dead_letters, doctor, looking, platform, replay, running, topics
from mission.commands.common import console

app = typer.Typer(
    help="Starts, watches and administers a platform on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (running, looking, replay, doctor):
    app.add_typer(commands.app)
for name, group in (
    ("topics", topics),
    ("clock", clock),
    ("platform", platform),
    ("dead-letters", dead_letters),
):
    app.add_typer(group.app, name=name)


def main() -> None:
    """Runs a command; an error that a person can do something about is one sentence, and the exit code is 1."""
    # What the library complains of is said in that sentence.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        app(standalone_mode=True)
    except LocalError as error:
        console.file.flush()
        print(f"mission: {error}", file=sys.stderr)
        sys.exit(1)
    except KafkaException as error:
        more = place.typed("status")
        print(f"mission: Kafka does not answer ({error.args[0].str()}); `{more}` shows more.", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
