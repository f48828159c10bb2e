"""A value of a graph, and what emits ops onto values. Everything else in the IR is built from these two."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from burngraph.ir.types import TensorType

if TYPE_CHECKING:
    from burngraph.ir.op import Op


class Value:
    """One tensor of a graph: a parameter or a result of a node. Compared by identity.

    type   dtype and shape
    name   the user's variable name, if known; only a hint for printing
    """

    __slots__ = ("name", "type")

    def __init__(self, type: TensorType, name: str | None = None) -> None:
        self.type = type
        self.name = name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    def __repr__(self) -> str:
        return f"%{self.name or '?'}: {self.type}"


class Emit(ABC):
    """Applies ops to values: a graph builder records them, an evaluator runs them.

    The rules of an op (derivative, batching, decomposition) are written against this, so each rule serves both.
    """

    @abstractmethod
    def several(self, op: "Op", *operands: "Value | None") -> tuple[Value, ...]:
        """Apply `op`; all its results, in order. An absent optional operand is None."""

    def __call__(self, op: "Op", *operands: "Value | None") -> Value:
        """Apply an op that has one result."""
        (result,) = self.several(op, *operands)
        return result
