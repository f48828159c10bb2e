"""One index that `checks=True` looks at, and the error to raise for what was found of it."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from burngraph.errors import IndexRangeError
from burngraph.ir.graph import Source
from burngraph.ir.op import IndexOperand
from burngraph.ir.types import TensorType


class IndexCheck(NamedTuple):
    """One index operand that is looked at, and where it is in the user's code.

    op, operand   names
    type          of the indices
    allowed       axes and ranges
    source        the user's line
    loops         what the ops around it that have steps are called, the outermost first
    """

    op: str
    operand: str
    type: TensorType
    allowed: IndexOperand
    source: Source | None
    loops: tuple[str, ...] = ()

    @property
    def n_found(self) -> int:
        """How many results it has: the place of the first index out of range (row-major, -1: none), that index, the steps."""
        return 2 + len(self.loops)

    def error(self, place: int, index: int, steps: Sequence[int]) -> IndexRangeError:
        """What to raise for the results of this check."""
        which = place % len(self.allowed.axes) if self.allowed.by_column else 0
        low, high = self.allowed.lows[which], self.allowed.highs[which]
        position: list[int] = []
        for n in reversed(self.type.shape):
            place, at = divmod(place, n)
            position.insert(0, at)
        return IndexRangeError(
            f"{self.op}: index {index} is out of range for axis {self.allowed.axes[which]}",
            f"in range: {low} ... {high}" if low <= high else "in range: none, as the axis is empty",
            f"found at {self.operand}{position}, of {self.operand}: {self.type}{_in_steps(self.loops, steps)}",
            *([f"from {self.source}"] if self.source else []),
        )


def _in_steps(loops: Sequence[str], steps: Sequence[int]) -> str:
    """ ", in step 1, 2 of the scan, step 0 of the while, counted from 0", the outermost loop first."""
    if not loops:
        return ""
    runs = groupby(zip(loops, steps, strict=True), key=lambda pair: pair[0])
    said = [f"step {', '.join(str(step) for _, step in run)} of the {loop}" for loop, run in runs]
    return f", in {', '.join(said)}, counted from 0"


def raise_if_out_of_range(checks: Sequence[IndexCheck], found: Sequence[int]) -> None:
    """`found`: the results of all checks. Raises IndexRangeError for the first that is out of range."""
    rest = iter(found)
    for check in checks:
        place, index, *steps = [next(rest) for _ in range(check.n_found)]
        if place >= 0:
            raise check.error(place, index, steps)
