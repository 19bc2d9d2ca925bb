"""What a rule says when something does not keep it."""

import dataclasses
from collections.abc import Sequence

from contracts.common import Reason


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One reason for a refusal: a stable code, the field or rule that it is about, and a plain sentence."""

    code: str
    field: str
    message: str
    params: dict[str, str | int] = dataclasses.field(default_factory=dict)

    def reason(self) -> Reason:
        """The reason as events carry it."""
        return Reason(code=self.code, params=self.params)


class Refused(Exception):
    """What was asked for breaks these rules; all of them are named."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)


class ForbiddenTransition(Exception):
    """Something cannot go from its present state to the wanted one."""

    def __init__(self, machine: str, present: str, wanted: str) -> None:
        super().__init__(f"A {machine} that is {present} cannot become {wanted}.")
        self.machine, self.present, self.wanted = machine, present, wanted
