"""Jacobians: a derivative walked once for all directions, by batching it over the unit tangents or cotangents."""

from collections.abc import Sequence

from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.op import zeros
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal
from burngraph.ir.ops.composite import batched_inline
from burngraph.ir.ops.constant import Iota
from burngraph.ir.ops.movement import Permute, Reshape
from burngraph.ir.share import share_equal_nodes
from burngraph.ir.types import I32, TensorType
from burngraph.ir.value import Value
from burngraph.passes.linearize import linearize
from burngraph.passes.push_forward import push_forward
from burngraph.passes.simplify import drop_unread_nodes
from burngraph.passes.transpose import transpose


def jacobian_forward(graph: Graph, wrt: Sequence[int]) -> Graph:
    """For each result, for each parameter in `wrt`: the Jacobian, of shape result.shape + parameter.shape.

    One batched forward derivative per parameter. A result of integer or bool dtype has zeros of its dtype.
    """
    builder, params = _same_params(graph)
    columns: list[list[Value]] = []
    for index in wrt:
        joint = push_forward(graph, [index])
        dots = _batched(builder, joint, params, len(graph.results))
        columns.append([_inputs_last(builder, dot, graph.params[index].type) for dot in dots])
    exact = [i for i, t in enumerate(graph.result_types) if t.dtype.is_inexact]
    entries = {(k, c): column[i] for c, column in enumerate(columns) for i, k in enumerate(exact)}
    return _finished(builder, graph, wrt, entries)


def jacobian_reverse(graph: Graph, wrt: Sequence[int]) -> Graph:
    """The same by one batched reverse derivative per result."""
    builder, params = _same_params(graph)
    joint = linearize(graph, wrt)
    n_params, n_results = len(graph.params), len(graph.results)
    exact = [i for i, t in enumerate(graph.result_types) if t.dtype.is_inexact]
    entries: dict[tuple[int, int], Value] = {}
    for place, index in enumerate(exact):
        one = Graph(joint.name, joint.params, joint.nodes, [joint.results[n_results + place]], joint.kinds)
        reverse = drop_unread_nodes(transpose(drop_unread_nodes(one), range(n_params, len(joint.params)), [0]))
        bars = _batched(builder, reverse, params, 0)
        for c, bar in enumerate(bars):
            entries[index, c] = builder(Reshape((*graph.results[index].shape, *bar.shape[1:])), bar)
    return _finished(builder, graph, wrt, entries)


def _same_params(graph: Graph) -> tuple[Builder, list[Value]]:
    builder = Builder(graph.name)
    return builder, [builder.param(p.type, p.name, kind) for p, kind in zip(graph.params, graph.kinds, strict=True)]


def _batched(builder: Builder, graph: Graph, params: Sequence[Value], skipped: int) -> list[Value]:
    """The results of `graph` from `skipped` on, for every unit direction of its last parameter, stacked in front."""
    type = graph.params[-1].type
    graph = drop_unread_nodes(Graph(graph.name, graph.params, graph.nodes, graph.results[skipped:], graph.kinds))
    flags = (*(False for _ in params), True)
    return list(batched_inline(builder, graph, (*params, _unit_directions(builder, type)), flags))


def _unit_directions(builder: Builder, type: TensorType) -> Value:
    """[type.size, *type.shape]: entry i is one at the i-th place of a tensor of `type` and zero elsewhere."""
    square = TensorType(I32, (type.size, type.size))
    diagonal = builder(Equal(), builder(Iota(0, square)), builder(Iota(1, square)))
    return builder(Reshape((type.size, *type.shape)), builder(Cast(type.dtype), diagonal))


def _inputs_last(builder: Builder, dot: Value, type: TensorType) -> Value:
    moved = builder(Permute((*range(1, dot.type.rank), 0)), dot)
    return builder(Reshape((*moved.shape[:-1], *type.shape)), moved)


def _finished(builder: Builder, graph: Graph, wrt: Sequence[int], entries: dict[tuple[int, int], Value]) -> Graph:
    results: list[Value] = []
    for k, type in enumerate(graph.result_types):
        for c, index in enumerate(wrt):
            entry = entries.get((k, c))
            shape = (*type.shape, *graph.params[index].shape)
            results.append(zeros(builder, type.with_shape(shape)) if entry is None else entry)
    return drop_unread_nodes(share_equal_nodes(builder.build(results)))  # the walks share their forward part
