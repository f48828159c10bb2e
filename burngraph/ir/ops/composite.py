"""Composites: ops whose meaning is a graph of smaller ops, kept whole because passes and devices know them by name."""

from collections.abc import Sequence
from typing import Any

from burngraph.errors import RefusedError
from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import decomposed
from burngraph.ir.op import FREE, Cost, Op, Permuted, positions_read
from burngraph.ir.ops.broadcast import repeat_leading
from burngraph.ir.permutation import Perm
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value


class Composite(Op):
    """Base: `decompose(emit, *operands)` gives the results in smaller ops, and every other aspect follows from it.

    A subclass states `infer` and `decompose`; it overrides another aspect where it knows better: `linearize` (or
    `linear_in` and `transpose`) where a closed form saves work, `permuted` where its axes may be renumbered, `reference`
    where NumPy says it directly.
    """

    def reference(self, *arrays: Any) -> Any:
        return decomposed(self, arrays)

    def permuted(self, operand_types: Any, index: int, perm: Perm) -> Permuted | None:
        return None

    def batched(self, emit: Emit, operands: Any, is_batched: tuple[bool, ...]) -> Any:
        """Decompose on one example's types, then batch each op of that graph."""
        types = tuple(
            None if value is None else value.type.with_shape(value.shape[1:]) if batched else value.type
            for value, batched in zip(operands, is_batched, strict=True)
        )
        results = batched_inline(emit, decomposition(self, types), _present(operands), _flags(operands, is_batched))
        return results if len(self.results) != 1 else results[0]

    def cost(self, *types: TensorType | None) -> Cost:
        """The sum over the decomposition: what it takes if nothing is fused."""
        return graph_cost(decomposition(self, types))


def decomposition(op: Op, types: tuple[TensorType | None, ...]) -> Graph:
    """The decomposition of a composite at `types` as a graph; its parameters are the operands that are present."""
    builder = Builder(op.name)
    params = [None if t is None else builder.param(t) for t in types]
    out = op.decompose(builder, *params)
    return builder.build(out if isinstance(out, tuple) else (out,))


def graph_cost(graph: Graph) -> Cost:
    """Sum of the costs of the nodes."""
    return sum((node.op.cost(*node.operand_types) for node in graph.nodes), FREE)


def batched_inline(
    emit: Emit, graph: Graph, operands: tuple[Value, ...], is_batched: tuple[bool, ...], axis_size: int | None = None
) -> tuple[Value, ...]:
    """Apply `graph` to operands of which some have a leading batch axis; every result has it.

    axis_size   needed only when no operand is batched
    """
    for value, flag in zip(operands, is_batched, strict=True):
        axis_size = value.shape[0] if flag else axis_size
    results, stacked = batched_where_needed(emit, graph, operands, is_batched)
    return tuple(v if flag else _stack(emit, v, axis_size) for v, flag in zip(results, stacked, strict=True))


def batched_where_needed(
    emit: Emit, graph: Graph, operands: Sequence[Value], is_batched: Sequence[bool]
) -> tuple[tuple[Value, ...], tuple[bool, ...]]:
    """Apply `graph` to operands of which some have a leading batch axis; the results, and which of them have it.

    A result has it if it depends on an operand that has.
    """
    now: dict[Value, Value] = dict(zip(graph.params, operands, strict=True))
    stacked: set[Value] = {p for p, flag in zip(graph.params, is_batched, strict=True) if flag}
    for node in graph.nodes:
        values = tuple(None if v is None else now[v] for v in node.operands)
        flags = tuple(v in stacked for v in node.operands)
        if isinstance(emit, Builder) and node.source is not None:
            emit.source = node.source
        if any(flags[i] for i in positions_read(node.op, len(flags))):
            try:
                out = node.op.batched(emit, values, flags)
            except RefusedError as error:
                raise error.add(f"in @{graph.name}" + (f", from {node.source}" if node.source else "")) from None
            results = out if isinstance(out, tuple) else (out,)
            stacked.update(node.results)
        else:
            results = emit.several(node.op, *values)
        now.update(zip(node.results, results, strict=True))
    return tuple(now[v] for v in graph.results), tuple(v in stacked for v in graph.results)


def batched_graph(graph: Graph, is_batched: Sequence[bool], axis_size: int) -> Graph:
    """`graph` on parameters of which some have a leading batch axis of `axis_size`; every result has it."""
    return partly_batched_graph(graph, is_batched, axis_size, (True,) * len(graph.results))[0]


def partly_batched_graph(
    graph: Graph, is_batched: Sequence[bool], axis_size: int, wanted: Sequence[bool] | None = None
) -> tuple[Graph, tuple[bool, ...]]:
    """The same, and which results have the axis: those that depend on a parameter that has, and those `wanted`."""
    builder = Builder(graph.name)
    params = [
        builder.param(p.type.with_shape((axis_size, *p.shape)) if flag else p.type, p.name, kind)
        for p, kind, flag in zip(graph.params, graph.kinds, is_batched, strict=True)
    ]
    results, stacked = batched_where_needed(builder, graph, params, is_batched)
    if wanted is not None:
        results = tuple(
            repeat_leading(builder, v, axis_size) if asked and not has else v
            for v, has, asked in zip(results, stacked, wanted, strict=True)
        )
        stacked = tuple(has or asked for has, asked in zip(stacked, wanted, strict=True))
    return builder.build(results), stacked


def _stack(emit: Emit, value: Value, axis_size: int | None) -> Value:
    if axis_size is None:
        raise AssertionError("batching a graph none of whose operands is batched needs axis_size")
    return repeat_leading(emit, value, axis_size)


def _present(operands: tuple[Value | None, ...]) -> tuple[Value, ...]:
    return tuple(v for v in operands if v is not None)


def _flags(operands: tuple[Value | None, ...], is_batched: tuple[bool, ...]) -> tuple[bool, ...]:
    return tuple(flag for v, flag in zip(operands, is_batched, strict=True) if v is not None)
