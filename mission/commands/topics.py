"""``mission topics``: the broker beside the registry."""

import typer

from infra.access import present, rules
from infra.local.errors import LocalError
from infra.topics import states
from mission import place
from mission.commands.common import console, ensure_running
from mission.status import topic_table

app = typer.Typer(help="The broker beside what the registry says.", invoke_without_command=True)


@app.callback()
def topics(context: typer.Context) -> None:
    """Show every topic of the registry and how the broker differs from it."""
    if context.invoked_subcommand is not None:
        return
    ensure_running()
    stack = place.operated()
    admin = stack.kafka.admin()
    found = states(admin, stack.platforms())
    console.print(topic_table(found))
    wanted, has = rules(stack.platforms()), present(admin)
    console.print(f"{len(wanted)} access rules; {len(wanted - has)} missing, {len(has - wanted)} too many.")
    if any(state.difference for state in found) or wanted != has:
        raise LocalError("The broker differs from the registry; `bin/mission topics apply` puts it right.")


@app.command("apply")
def apply_topics() -> None:
    """Bring topics, users and access rules to what the registry says."""
    ensure_running()
    stack = place.operated()
    stack.apply_registry()
    different = [state for state in states(stack.kafka.admin(), stack.platforms()) if state.difference]
    for state in different:
        console.print(f"{state.name}: {state.difference}", markup=False)
    if different:
        raise LocalError("These topics cannot be put right without losing data or its order.")
    console.print("The broker is as the registry says.")
