"""Transposition: from a graph that is linear in some parameters to the one that runs their cotangents backwards."""

from collections.abc import Sequence

from burngraph.errors import RefusedError
from burngraph.ir.builder import Builder, inline
from burngraph.ir.graph import Graph, Node
from burngraph.ir.op import add_values, linear_groups, zeros
from burngraph.ir.ops.constant import Splat
from burngraph.ir.value import Value
from burngraph.passes.linearize import linearize


def transpose(graph: Graph, linear_params: Sequence[int], linear_results: Sequence[int]) -> Graph:
    """Swap the roles of parameters that `graph` is linear in and results that depend on them.

        graph @f(%w, %x_dot) -> y, y_dot          graph @f(%w, %y_bar) -> y, x_bar

    Parameters: the other parameters, then a cotangent for each of `linear_results`. Results: the other results, then a
    cotangent for each of `linear_params`. Nodes that do not depend on `linear_params` are kept as they are.

    Raises   RefusedError   a node is not linear in what reaches it
    """
    builder = Builder(graph.name)
    now: dict[Value, Value] = {}
    for index, (old, kind) in enumerate(zip(graph.params, graph.kinds, strict=True)):
        if index not in linear_params:
            now[old] = builder.param(old.type, old.name, kind)
    linear = {graph.params[index] for index in linear_params}
    reversed_later = _keep_nonlinear(graph, builder, now, linear)

    bars: dict[Value, Value] = {}
    for index in linear_results:
        value = graph.results[index]
        bar = builder.param(value.type, f"{_stem(value)}_bar")
        if value in linear:
            _accumulate(builder, bars, value, bar)
    for node in reversed(reversed_later):
        builder.source = node.source
        _transpose_node(builder, node, now, linear, bars)

    builder.source = None
    others = [now[value] for index, value in enumerate(graph.results) if index not in linear_results]
    cotangents = [
        bars[value] if value in bars else zeros(builder, value.type)
        for value in (graph.params[index] for index in linear_params)
    ]
    return builder.build([*others, *cotangents])


def _stem(value: Value) -> str:
    return (value.name or "out").removesuffix("_dot")


def _keep_nonlinear(graph: Graph, builder: Builder, now: dict[Value, Value], linear: set[Value]) -> list[Node]:
    """Copy the nodes that do not depend on `linear`, which grows by what does; the nodes left over, in order."""
    left_over: list[Node] = []
    for node in graph.nodes:
        if any(value in linear for value in node.values_read):
            linear.update(node.results)
            left_over.append(node)
            continue
        operands = tuple(None if value is None else now[value] for value in node.operands)
        copied = Node(node.op, operands, tuple(Value(v.type, v.name) for v in node.results), node.source)
        builder.nodes.append(copied)
        now.update(zip(node.results, copied.results, strict=True))
    return left_over


def _transpose_node(
    builder: Builder, node: Node, now: dict[Value, Value], linear: set[Value], bars: dict[Value, Value]
) -> None:
    result_bars = tuple(bars.pop(value, None) for value in node.results)
    if all(bar is None for bar in result_bars):
        return
    into = [i for i, value in enumerate(node.operands) if value is not None and value in linear]
    if not any(set(into) <= set(group) for group in linear_groups(node.op, len(node.operands))):
        raise RefusedError(
            f"transpose: {node.op.name} is not linear in operands {into} together",
            f"in @{builder.name}" + (f", from {node.source}" if node.source else ""),
        )
    # A rule reads only the types of its linear operands, which have no value any more when time runs backwards.
    operands = [value if value is None or value in linear else now[value] for value in node.operands]
    y_bar = result_bars if len(result_bars) > 1 else result_bars[0]
    for index in into:
        bar = node.op.transpose(builder, index, y_bar, *operands)
        operand = node.operands[index]
        if bar is not None and operand is not None:
            _accumulate(builder, bars, operand, bar)


def _accumulate(builder: Builder, bars: dict[Value, Value], value: Value, bar: Value) -> None:
    bars[value] = add_values(builder, bars[value], bar) if value in bars else bar


def vjp(graph: Graph, wrt: Sequence[int]) -> Graph:
    """The graph with its reverse derivative joined on.

    Parameters: those of `graph`, then a cotangent for each inexact result. Results: those of `graph`, then a cotangent for
    each of the parameters `wrt`.
    """
    joint = linearize(graph, wrt)
    n_params, n_results = len(graph.params), len(graph.results)
    return transpose(joint, range(n_params, len(joint.params)), range(n_results, len(joint.results)))


def value_and_gradient(graph: Graph, wrt: Sequence[int], loss: int = 0) -> Graph:
    """`graph`'s results, then the gradient of the scalar result `loss` for each parameter in `wrt`."""
    joint = linearize(graph, wrt)
    n_params, n_results = len(graph.params), len(graph.results)
    inexact = [index for index, value in enumerate(graph.results) if value.type.dtype.is_inexact]
    loss_dot = joint.results[n_results + inexact.index(loss)]  # the other tangents would only carry zeros back
    joint = Graph(joint.name, joint.params, joint.nodes, [*joint.results[:n_results], loss_dot], joint.kinds)
    reverse = transpose(joint, range(n_params, len(joint.params)), [n_results])
    builder = Builder(graph.name)
    params = [builder.param(p.type, p.name, kind) for p, kind in zip(graph.params, graph.kinds, strict=True)]
    return builder.build(inline(builder, reverse, [*params, builder(Splat(1.0, loss_dot.type))]))
