"""Forward derivative of a graph: each value beside its tangent, tangents linear in the tangents of chosen parameters."""

from collections.abc import Sequence
from typing import Any

from burngraph.errors import RefusedError
from burngraph.ir.builder import Builder, Rewriter
from burngraph.ir.graph import Graph
from burngraph.ir.op import Linearized, Op, Tangent, zeros
from burngraph.ir.value import Emit, Value


def linearize(graph: Graph, wrt: Sequence[int]) -> Graph:
    """The graph that also computes the derivative of every result along given tangents of the parameters `wrt`.

        graph @f(%x) -> y          graph @f(%x, %x_dot) -> y, y_dot

    Parameters: those of `graph`, then one tangent for each of `wrt`. Results: those of `graph`, then one tangent for each
    result whose dtype is inexact; a result that does not depend on `wrt` has zeros.

    Raises   RefusedError   an op on the way has no derivative; names the op, its reason and the source line
    Source   Radul et al., You Only Linearize Once (POPL 2023): only this walk knows nonlinear rules
    """
    return Linearizer.walk(graph, wrt)


def has_linearization(op: Op) -> bool:
    """Whether the op answers for its own derivative; otherwise its decomposition does."""
    cls = type(op)
    return (
        bool(op.linear_in)
        or op.locally_constant
        or hasattr(cls, "linearize_nested")
        or cls.linearize is not Op.linearize
        or cls.linear_positions is not Op.linear_positions
    )


class Linearizer(Emit):
    """Emits each op and, beside it, what turns its operands' tangents into its results'."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.tangents: dict[Value, Value] = {}

    @classmethod
    def walk(cls, graph: Graph, wrt: Sequence[int]) -> Graph:
        """See `linearize`."""
        rewriter = Rewriter(graph)
        walk = cls(rewriter)
        for index in wrt:
            old = graph.params[index]
            tangent = rewriter.param(old.type, f"{old.name}_dot" if old.name else None)
            walk.tangents[rewriter[old]] = tangent
        for node in graph.nodes:
            rewriter.source = node.source
            try:
                rewriter.replace(node, walk.several(node.op, *rewriter.operands(node)))
            except RefusedError as error:
                raise error.add(f"in @{graph.name}" + (f", from {node.source}" if node.source else "")) from None
        results = [rewriter[value] for value in graph.results]
        dots = [
            walk.tangents[value] if value in walk.tangents else zeros(rewriter, value.type)
            for value in results
            if value.type.dtype.is_inexact
        ]
        return rewriter.finish([*results, *dots])

    def rule(self, op: Op, *values: Any) -> Linearized | Tangent | tuple[Tangent, ...]:
        """The op's own rule. values: its operands, results, and its operands' tangents."""
        if hasattr(op, "linearize_nested"):
            return op.linearize_nested(self.builder, type(self).walk, *values)  # type: ignore[no-any-return]
        return op.linearize(self.builder, *values)

    def several(self, op: Op, *operands: Value | None) -> tuple[Value, ...]:
        dots = [None if value is None else self.tangents.get(value) for value in operands]
        if all(dot is None for dot in dots):
            return self.builder.several(op, *operands)
        if not has_linearization(op):
            out = op.decompose(self, *operands)
            return out if isinstance(out, tuple) else (out,)
        at = len(self.builder.nodes)
        results = self.builder.several(op, *operands)
        found = self.rule(op, *operands, *results, *dots)
        if isinstance(found, Linearized):
            del self.builder.nodes[at]
            results, found = found
        for value, dot in zip(results, found if isinstance(found, tuple) else (found,), strict=True):
            if dot is not None and value.type.dtype.is_inexact:
                self.tangents[value] = dot
        return results
