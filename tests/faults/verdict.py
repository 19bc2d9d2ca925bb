"""What a check finds wrong, and the smallest history around it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.faults.evidence import Evidence
from tests.faults.history import History

MOST_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class Violation:
    """``check`` is what it breaks, ``key`` the id of what is broken, ``sentence`` says how."""

    check: str
    key: str
    sentence: str


def around(violation: Violation, history: History, evidence: Evidence) -> list[str]:
    """The requests that name the key, the records of its aggregate, and the faults at that time, in their order."""
    asked = [each for each in history.operations.values() if violation.key and each.names(violation.key)]
    told = [
        each for each in evidence.told if violation.key in (each.attributes.subject, each.attributes.id, each.topic)
    ]
    lines = [(each.at, each.told(history.begin)) for each in asked]
    for record in told:
        where = f"{record.topic}/{record.partition}/{record.offset}"
        at, (version, ordinal) = record.sent.timestamp(), record.place
        what = f"{record.attributes.type} version {version}/{ordinal} of {record.attributes.subject}"
        lines.append((at, f"{at - history.begin:8.2f} s  {where}: {what}"))
    lines = sorted(lines)[-MOST_LINES:]
    if lines:
        first, last = lines[0][0], lines[-1][0]
        near = [each for each in history.faults if each.begin <= last + 1 and each.recovered >= first - 1]
        lines += [(each.begin, each.told(history.begin)) for each in near[-MOST_LINES:]]
    return [line for _, line in sorted(lines)]


def shown(violations: Iterable[Violation], history: History, evidence: Evidence, most: int = 3) -> str:
    """For people: each check that failed, its first findings with their histories, and the seed."""
    by_check: dict[str, list[Violation]] = {}
    for violation in violations:
        by_check.setdefault(violation.check, []).append(violation)
    lines = [f"Seed {history.seed}."]
    for check, found in by_check.items():
        lines.append(f"{check}: {len(found)} found")
        for violation in found[:most]:
            lines.append(f"  {violation.key}: {violation.sentence}")
            lines += [f"    {line}" for line in around(violation, history, evidence)]
    return "\n".join(lines)
