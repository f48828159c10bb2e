"""Batching: from a graph of one example to the graph of a stack of examples, each op by its own rule."""

from collections.abc import Sequence

from burngraph.errors import RefusedError
from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.ops.broadcast import repeat_leading
from burngraph.ir.ops.composite import batched_where_needed
from burngraph.ir.ops.movement import Permute
from burngraph.ir.permutation import inverse
from burngraph.ir.value import Value


def batch(graph: Graph, in_axes: Sequence[int | None], out_axes: Sequence[int | None], axis_size: int) -> Graph:
    """The graph that does to every example of a stack what `graph` does to one.

        graph @f(%x: f32[3]) -> f32[]          graph @f(%x: f32[8,3]) -> f32[8]

    in_axes     per parameter: the axis of the stacked parameter that counts examples; None if all share it
    out_axes    per result: the axis of the stacked result that counts examples; None if it must not depend on the example
    axis_size   how many examples

    Raises      RefusedError   an op on the way cannot be batched, or a result with out_axes None differs between examples
    """
    builder = Builder(graph.name)
    stacked = [axis is not None for axis in in_axes]
    operands: list[Value] = []
    for old, kind, axis in zip(graph.params, graph.kinds, in_axes, strict=True):
        shape = old.shape if axis is None else (*old.shape[:axis], axis_size, *old.shape[axis:])
        param = builder.param(old.type.with_shape(shape), old.name, kind)
        operands.append(param if axis is None else _moved(builder, param, _to_front(axis, len(shape))))
    values, varies = batched_where_needed(builder, graph, operands, stacked)
    builder.source = None
    results: list[Value] = []
    for index, (value, has_axis, axis) in enumerate(zip(values, varies, out_axes, strict=True)):
        if axis is None:
            if has_axis:
                raise RefusedError(f"batch: result {index} of @{graph.name} differs between examples", "give it an out axis")
            results.append(value)
            continue
        whole = value if has_axis else repeat_leading(builder, value, axis_size)
        results.append(_moved(builder, whole, inverse(_to_front(axis, whole.type.rank))))
    return builder.build(results)


def _to_front(axis: int, rank: int) -> tuple[int, ...]:
    return (axis, *(a for a in range(rank) if a != axis))


def _moved(builder: Builder, value: Value, perm: tuple[int, ...]) -> Value:
    return value if perm == tuple(range(len(perm))) else builder(Permute(perm), value)
