"""What a receipt will tell about a message: what is wrong with it, and what is odd."""

from dataclasses import dataclass, field

from contracts.national_platforms import Problem, shown

MOST = 50
"""As many problems, and as many warnings, are told."""


@dataclass(slots=True)
class Notes:
    """Gathers the problems and warnings of one message."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def refuse(self, code: str, where: str | None, message: str, given: object = None) -> None:
        """Notes something for which the message is not taken."""
        self._add(self.problems, code, where, message, given)

    def warn(self, code: str, where: str | None, message: str, given: object = None) -> None:
        """Notes something odd that was mended or left out."""
        self._add(self.warnings, code, where, message, given)

    def about(self, where: str) -> bool:
        """Whether a problem with this field is told of already."""
        return any(problem.field == where for problem in self.problems)

    @staticmethod
    def _add(to: list[Problem], code: str, where: str | None, message: str, given: object) -> None:
        if len(to) < MOST:
            told = None if given is None else shown(given)
            to.append(Problem(code=code, field=where and shown(where, 200), message=shown(message, 1000), given=told))
