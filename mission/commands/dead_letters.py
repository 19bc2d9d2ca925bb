"""``mission dead-letters``: look at what services could not apply, try it again, or give it up."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from infra.local.errors import LocalError
from mission import clock, letters, place
from mission.commands.common import console, ensure_running
from mission.letters import Kept
from shared.dead_letters import MAX_WHY, Action, Outcome

app = typer.Typer(help="What services could not apply, and what is to become of it.", no_args_is_help=True)

Service = Annotated[str | None, typer.Option("--service", help="Only this service's.", metavar="SERVICE")]
Topic = Annotated[str | None, typer.Option("--topic", help="Only records of this topic.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only with this reason, as ValidationError.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Failed then or later: 2h, or 2030-01-31T10:00 in UTC.", metavar="WHEN")
]
Until = Annotated[str | None, typer.Option("--until", help="Failed before then.", metavar="WHEN")]
Letter = Annotated[str, typer.Argument(metavar="LETTER", help="Its id, as `list` shows it: topic/partition/offset.")]
Letters = Annotated[
    list[str] | None, typer.Argument(metavar="[LETTER]...", help="Ids, as `list` shows them: topic/partition/offset.")
]
All = Annotated[bool, typer.Option("--all", help="Every open one that fits.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show which ones are meant.")]
Why = Annotated[str, typer.Option("--why", help="Your reason, for those who look at the history.")]


@app.command("list")
def list_letters(
    service: Service = None,
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    all: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
) -> None:
    """List the dead letters that wait for a decision."""
    ensure_running()
    found = letters.letters(place.operated(), service, **which(topic, reason, since, until), all=all)
    console.print(letters.letter_table(found))


@app.command("show")
def show_letter(letter: Letter, service: Service = None) -> None:
    """Show one dead letter whole: reason, headers, value, and what was decided about it."""
    ensure_running()
    for kept in letters.whole(place.operated(), letter, service):
        console.print(letters.described(kept), markup=False, soft_wrap=True)


def deciding(action: Action, help: str) -> None:
    """Adds the command that does this to letters, whose options say to which."""

    @app.command(str(action), help=help)
    def decide_letters(
        why: Why,
        named: Letters = None,
        service: Service = None,
        topic: Topic = None,
        reason: Reason = None,
        since: Since = None,
        until: Until = None,
        all: All = False,
        dry_run: DryRun = False,
    ) -> None:
        chosen = chosen_letters(named or [], service, which(topic, reason, since, until), all=all)
        decide(chosen, action, why, dry_run=dry_run)


deciding(Action.REPLAY, "Try dead letters again, with the later events of the same aggregate that wait behind them.")
deciding(
    Action.DROP, "Give dead letters up for good: they never have an effect, and the events that wait behind them go on."
)


@app.command("history")
def show_history(service: Service = None, topic: Topic = None, since: Since = None, until: Until = None) -> None:
    """Show who decided what about which letter, when and why, and what became of it."""
    ensure_running()
    found = letters.letters(place.operated(), service, **which(topic, None, since, until), all=True)
    console.print(letters.history_table(found))


def which(topic: str | None, reason: str | None, since: str | None, until: str | None) -> dict[str, Any]:
    """The filter of these options."""
    return {"topic": topic, "reason": reason, "since": moment(since), "until": moment(until)}


def moment(text: str | None) -> datetime | None:
    """Reads ``2h`` (so long ago, by the platform's clock) or an instant, in UTC when it names no zone.

    Raises :class:`LocalError` for anything else.
    """
    if text is None:
        return None
    if text[-1:] in clock.UNITS:
        return clock.now() - clock.duration(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise LocalError(f"{text!r} is no moment; write it as 2h (so long ago) or 2030-01-31T10:00.") from error
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


def chosen_letters(named: list[str], service: str | None, filter: dict[str, Any], *, all: bool) -> list[Kept]:
    """The open letters that are meant: named, or fitting the filter.

    Raises :class:`LocalError` when nothing says which, and for an id that no open letter has.
    """
    ensure_running()
    if not (named or all or service or any(filter.values())):
        raise LocalError("Name letters, or say which by --service, --topic, --reason, --since, --until or --all.")
    found = letters.letters(place.operated(), service, **filter)
    if unknown := set(named) - {kept.letter.id for kept in found}:
        raise LocalError(f"There is no open dead letter {', '.join(sorted(unknown))} here.")
    return [kept for kept in found if not named or kept.letter.id in named]


def decide(chosen: list[Kept], action: Action, why: str, *, dry_run: bool) -> None:
    """Carries a decision out and says what became of it.

    Raises :class:`LocalError` for a reason that says nothing, and when a letter was not dealt with.
    """
    if not 3 <= len(why.strip()) <= MAX_WHY:
        raise LocalError(f"--why is your reason in words, of 3 to {MAX_WHY} characters.")
    if dry_run:
        console.print(letters.letter_table(chosen))
        console.print(f"Nothing was done: without --dry-run, {action} would be done to these {len(chosen)}.")
        return
    stack = place.operated()
    made = letters.decide(stack, chosen, action, why.strip())
    became = letters.outcomes(stack, made)
    for id, kept in made.items():
        outcome = became[id]
        said = letters.WORDS[outcome] if outcome else "not carried out: decided meanwhile, or the service is away"
        console.print(f"{kept.service}: {kept.letter.id}: {said}", markup=False, soft_wrap=True)
    console.print(f"{len(made)} letters.")
    failed = [outcome for outcome in became.values() if outcome in (None, Outcome.FAILED)]
    if failed:
        raise LocalError(f"{len(failed)} of {len(made)} are still not dealt with; `bin/mission dead-letters list`.")
