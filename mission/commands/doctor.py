"""``mission doctor``: everything that can be checked, and what to do about what was found."""

import typer
from confluent_kafka import KafkaException
from rich.table import Table

from infra.local.errors import LocalError
from infra.stack import Stack
from mission import place
from mission.commands.common import console, ensure_running
from mission.doctor import Check, Finding

app = typer.Typer()


@app.command("doctor")
def examine() -> None:
    """Check the whole platform: what is wrong, and what to do. Ends with 1 when something is."""
    # Knows the services' own code, which takes longer to load than most commands to run.
    from mission.doctor.checks import CHECKS

    ensure_running()
    stack = place.operated()
    table = Table(title_justify="left", show_lines=True)
    for column in ("checked", "found", "what to do"):
        table.add_column(column, overflow="fold")
    wrong = 0
    for name, check in CHECKS.items():
        with console.status(f"Checking {name} ..."):
            found = findings(check, stack)
        wrong += sum(finding.wrong for finding in found)
        if not found:
            table.add_row(name, "[green]as it should be[/]", "")
        for finding in found:
            colour = "red" if finding.wrong else "yellow"
            table.add_row(name, f"[{colour}]{finding.what}[/]", finding.do)
    console.print(table)
    if wrong:
        raise LocalError(f"{wrong} things are wrong; the table says what to do.")


def findings(check: Check, stack: Stack) -> list[Finding]:
    """What a check finds; that it could not look is a finding too."""
    try:
        return list(check(stack))
    except LocalError as error:
        return [Finding(f"This could not be checked: {error}", "`bin/mission status`")]
    except KafkaException as error:
        return [Finding(f"This could not be checked: Kafka says {error.args[0].str()}", "`bin/mission status`")]
