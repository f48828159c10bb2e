"""Forward derivatives that are to be evaluated, not transposed."""

from collections.abc import Sequence
from typing import Any

from burngraph.ir.graph import Graph
from burngraph.ir.op import Linearized, Op, Tangent
from burngraph.passes.linearize import Linearizer
from burngraph.passes.simplify import drop_unread_nodes
from burngraph.passes.transpose import transpose


def push_forward(graph: Graph, wrt: Sequence[int]) -> Graph:
    """`linearize(graph, wrt)` with tangents that run, also those of functions with a reverse rule of their own (custom_vjp).

    Raises   RefusedError   an op on the way has no derivative
    """
    return drop_unread_nodes(_Pusher.walk(graph, wrt))


class _Pusher(Linearizer):
    def rule(self, op: Op, *values: Any) -> Linearized | Tangent | tuple[Tangent, ...]:
        if hasattr(op, "push_forward_nested"):
            return op.push_forward_nested(self.builder, type(self).walk, transpose, *values)  # type: ignore[no-any-return]
        return super().rule(op, *values)
