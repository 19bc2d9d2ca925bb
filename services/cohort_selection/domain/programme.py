"""Exact integer programming over counting rows: who fits best when every bound is on a number of members.

Maximise ``sum(weight * x)`` over whole ``x`` with ``0 <= x <= upper``, where every row bounds the sum of some of the
variables from below and above. All arithmetic is in integers and fractions, so the optimum is the true one on every
machine. The relaxation is solved by the dual simplex method for bounded variables with the bound-flipping ratio test
(Maros, Computational Techniques of the Simplex Method, 2003, chapter 10), which starts from "everybody in" and can be
taken up again after a bound has changed; what it leaves fractional is decided by branch and bound (Land and Doig,
1960). For two families of nested rows (such as countries and size bands) the relaxation is integral, so nothing
branches: the usual round of some hundred cities takes tenths of a second. Many overlapping quotas may take much longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Number = int | Fraction


@dataclass(frozen=True, slots=True)
class Variable:
    """What may be taken up to ``upper`` times, what one is worth, and the rows that count it."""

    weight: int
    rows: frozenset[int]
    upper: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """Bounds on a sum; ``upper`` None is without end."""

    lower: int = 0
    upper: int | None = None


class NoSolution(Exception):
    """No choice keeps all rows within their bounds."""


class _Dictionary:
    """A simplex dictionary: each basic variable as a combination of the non-basic ones, which sit at a bound.

    Variables 0.. are the problem's, those after them the rows' sums. ``costs`` are reduced costs.
    """

    def __init__(self, variables: Sequence[Variable], rows: Sequence[Row]) -> None:
        first = len(variables)
        everything = sum(variable.upper for variable in variables)
        self.lower: list[int] = [0] * first + [row.lower for row in rows]
        self.upper: list[int] = [v.upper for v in variables] + [
            everything if row.upper is None else row.upper for row in rows
        ]
        self.at: dict[int, int] = {i: v.upper if v.weight > 0 else 0 for i, v in enumerate(variables)}
        self.costs: dict[int, Number] = {i: v.weight for i, v in enumerate(variables)}
        self.table: dict[int, dict[int, Number]] = {first + number: {} for number in range(len(rows))}
        for index, variable in enumerate(variables):
            for number in variable.rows:
                self.table[first + number][index] = 1
        self.values: dict[int, Number] = {basic: sum((self.at[j] for j in row), 0) for basic, row in self.table.items()}

    def copy(self) -> "_Dictionary":
        other = object.__new__(_Dictionary)
        other.lower, other.upper = self.lower[:], self.upper[:]
        other.at, other.costs, other.values = dict(self.at), dict(self.costs), dict(self.values)
        other.table = {basic: dict(row) for basic, row in self.table.items()}
        return other

    def bound(self) -> Number:
        """The objective here; once all values are within bounds, no choice is better."""
        return sum((cost * self.at[j] for j, cost in self.costs.items()), 0)

    def solve(self, beat: int | None) -> bool:
        """Brings all values within bounds, at least cost; False when that cannot be, or cannot beat ``beat``."""
        while True:
            if beat is not None and self.bound() <= beat:
                return False
            excess, worst = max((self._excess(basic), -basic) for basic in self.values)
            if excess <= 0:
                return True
            if not self._leave(-worst):
                return False

    def _excess(self, basic: int) -> Number:
        """How far a value is beyond its bounds; not above 0 within them."""
        value = self.values[basic]
        return max(value - self.upper[basic], self.lower[basic] - value)

    def _leave(self, basic: int) -> bool:
        """Moves one value to the bound that it is beyond; False when all others together cannot move it there."""
        row = self.table[basic]
        down = self.values[basic] > self.upper[basic]
        target = self.upper[basic] if down else self.lower[basic]
        movable: list[tuple[Number, int]] = []
        for j, entry in row.items():
            if self.lower[j] == self.upper[j]:
                continue
            rises = (self.at[j] == self.lower[j]) == (entry > 0)
            if rises != down:
                movable.append((_size(_divide(self.costs.get(j, 0), entry)), j))
        movable.sort()
        for _, j in movable:
            room = self.upper[j] - self.lower[j]
            if _size(row[j]) * room >= _size(target - self.values[basic]):
                self._pivot(basic, j, target)
                return True
            step = room if self.at[j] == self.lower[j] else -room
            self._move(j, step)
            self.at[j] += step
        return False

    def _move(self, j: int, step: Number) -> None:
        for basic, row in self.table.items():
            if j in row:
                self.values[basic] += row[j] * step

    def _pivot(self, leaving: int, entering: int, target: int) -> None:
        step = _divide(target - self.values[leaving], self.table[leaving][entering])
        value = self.at.pop(entering) + step
        self._move(entering, step)
        del self.values[leaving]
        row = self.table.pop(leaving)
        pivot = row.pop(entering)
        solved = {k: _divide(-entry, pivot) for k, entry in row.items()}
        solved[leaving] = _divide(1, pivot)
        for other in self.table.values():
            _replace(other, entering, solved)
        _replace(self.costs, entering, solved)
        self.table[entering] = solved
        self.values[entering] = value
        self.at[leaving] = target


def _replace(row: dict[int, Number], entering: int, solved: dict[int, Number]) -> None:
    factor = row.pop(entering, 0)
    if factor:
        for k, entry in solved.items():
            total = row.get(k, 0) + factor * entry
            if total:
                row[k] = total
            else:
                row.pop(k, None)


def _size(a: Number) -> Number:
    return a if a >= 0 else -a


def _divide(a: Number, b: Number) -> Number:
    if b == 1:
        return a
    if b == -1:
        return -a
    quotient = Fraction(a) / b
    return quotient.numerator if quotient.denominator == 1 else quotient


def maximise(variables: Sequence[Variable], rows: Sequence[Row]) -> list[int]:
    """The value of each variable in the best choice; with weights that no two choices share it is the only best.

    Raises :class:`NoSolution` when there is none.
    """
    best: list[int] | None = None
    best_value: int | None = None
    open_nodes = [_Dictionary(variables, rows)]
    while open_nodes:
        node = open_nodes.pop()
        if any(node.lower[i] > node.upper[i] for i in range(len(node.lower))) or not node.solve(best_value):
            continue
        fractional = [j for j, value in node.values.items() if j < len(variables) and Fraction(value).denominator != 1]
        if not fractional:
            best = [int(node.at[j] if j in node.at else node.values[j]) for j in range(len(variables))]
            best_value = sum(variable.weight * x for variable, x in zip(variables, best, strict=True))
            continue
        branch = max(fractional, key=lambda j: variables[j].weight)
        floor = int(node.values[branch] // 1)
        without, taken = node, node.copy()
        without.upper[branch] = floor
        taken.lower[branch] = floor + 1
        open_nodes += [without, taken]
    if best is None:
        raise NoSolution
    return best
