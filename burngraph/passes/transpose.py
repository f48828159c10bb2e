"""Transposition: from a graph that is linear in some parameters to the one that runs their cotangents backwards."""

from collections.abc import Sequence

from burngraph.errors import RefusedError
from burngraph.ir.builder import Builder, Rewriter, inline
from burngraph.ir.graph import Graph, Node
from burngraph.ir.op import Op, add_values, positions_read, zeros
from burngraph.ir.ops.constant import Splat
from burngraph.ir.split import is_zero
from burngraph.ir.value import Emit, Value
from burngraph.passes.linearize import linearize


def transpose(graph: Graph, linear_params: Sequence[int], linear_results: Sequence[int]) -> Graph:
    """Swap the roles of parameters that `graph` is linear in and results that depend on them.

        graph @f(%w, %x_dot) -> y, y_dot          graph @f(%w, %y_bar) -> y, x_bar

    Parameters: the other parameters, then a cotangent for each of `linear_results`. Results: the other results, then a
    cotangent for each of `linear_params`. Nodes that do not depend on `linear_params` are kept as they are.

    Raises   RefusedError   a node is not linear in what reaches it, nor are the nodes it stands for
    """
    graph = _composites_opened(graph, linear_params)
    builder = Builder(graph.name)
    now: dict[Value, Value] = {}
    for index, (old, kind) in enumerate(zip(graph.params, graph.kinds, strict=True)):
        if index not in linear_params:
            now[old] = builder.param(old.type, old.name, kind)
    linear = {graph.params[index] for index in linear_params}
    zero: set[Value] = set()
    reversed_later = _keep_nonlinear(graph, builder, now, linear, zero)

    bars: dict[Value, Value] = {}
    for index in linear_results:
        value = graph.results[index]
        bar = builder.param(value.type, f"{_stem(value)}_bar")
        if value in linear:
            _accumulate(builder, bars, value, bar)
        elif value not in zero:
            raise RefusedError(f"transpose: result {index} of @{graph.name} does not depend on what is linear, and is not zero")
    for node in reversed(reversed_later):
        builder.source = node.source
        _transpose_node(builder, node, now, linear, zero, bars)

    builder.source = None
    others = [now[value] for index, value in enumerate(graph.results) if index not in linear_results]
    cotangents = [
        bars[value] if value in bars else zeros(builder, value.type)
        for value in (graph.params[index] for index in linear_params)
    ]
    return builder.build([*others, *cotangents])


class _Opener(Emit):
    """Emits ops as they are, but decomposes those that are not linear themselves in what is linear."""

    def __init__(self, builder: Builder, linear: set[Value]) -> None:
        self.builder, self.linear = builder, linear

    def several(self, op: Op, *operands: Value | None) -> tuple[Value, ...]:
        if _must_open(op, operands, self.linear):
            out = op.decompose(self, *operands)
            return out if isinstance(out, tuple) else (out,)
        results = self.builder.several(op, *operands)
        if _linear_operands(op, operands, self.linear):
            self.linear.update(results)
        return results


def _must_open(op: Op, operands: Sequence[Value | None], linear: set[Value]) -> bool:
    into = _linear_operands(op, operands, linear)
    return bool(into) and callable(getattr(op, "decompose", None)) and _group_of(op, into, len(operands)) is None


def _composites_opened(graph: Graph, linear_params: Sequence[int]) -> Graph:
    """`graph` with composites decomposed where that is how they are linear; users' own rules hold such ones."""
    linear = {graph.params[index] for index in linear_params}
    for node in graph.nodes:
        if _must_open(node.op, node.operands, linear):
            break
        if _linear_operands(node.op, node.operands, linear):
            linear.update(node.results)
    else:
        return graph
    rewriter = Rewriter(graph)
    opener = _Opener(rewriter, {rewriter[graph.params[index]] for index in linear_params})
    for node in graph.nodes:
        rewriter.source = node.source
        rewriter.replace(node, opener.several(node.op, *rewriter.operands(node)))
    return rewriter.finish()


def _stem(value: Value) -> str:
    return (value.name or "out").removesuffix("_dot")


def _keep_nonlinear(
    graph: Graph, builder: Builder, now: dict[Value, Value], linear: set[Value], zero: set[Value]
) -> list[Node]:
    """Copy the nodes that do not depend on `linear`; the nodes left over, in order.

    `linear` grows by the values that do, `zero` by those that do not and are zero whatever the parameters are.
    """
    left_over: list[Node] = []
    for node in graph.nodes:
        if _linear_operands(node.op, node.operands, linear):
            linear.update(node.results)
            left_over.append(node)
            continue
        if is_zero(node, zero):
            zero.update(node.results)
        # What is only waited for may be linear, and is not there any more when time runs backwards.
        operands = tuple(None if value is None else now[value] for value in node.operands if value not in linear)
        copied = Node(node.op, operands, tuple(Value(v.type, v.name) for v in node.results), node.source)
        builder.nodes.append(copied)
        now.update(zip(node.results, copied.results, strict=True))
    return left_over


def _linear_operands(op: Op, operands: Sequence[Value | None], linear: set[Value]) -> list[int]:
    """The positions of the operands that `op` reads and that are in `linear`."""
    return [i for i in positions_read(op, len(operands)) if operands[i] in linear]


def _transpose_node(
    builder: Builder, node: Node, now: dict[Value, Value], linear: set[Value], zero: set[Value], bars: dict[Value, Value]
) -> None:
    result_bars = tuple(bars.pop(value, None) for value in node.results)
    if all(bar is None for bar in result_bars):
        return
    into = _linear_operands(node.op, node.operands, linear)
    group = _group_of(node.op, into, len(node.operands))
    if group is None:
        raise _not_linear(builder, node, f"{node.op.name} is not linear in operands {into} together")
    for index in group:
        value = node.operands[index]
        if value is not None and value not in linear and value not in zero:
            raise _not_linear(builder, node, f"{node.op.name} has operand {index} beside what is linear, and it is not zero")
    # A rule reads only the types of its linear operands, which have no value any more when time runs backwards.
    operands = [value if value is None or value in linear else now[value] for value in node.operands]
    if hasattr(node.op, "transpose_nested"):
        operand_bars = node.op.transpose_nested(builder, transpose, into, result_bars, tuple(operands))
    else:
        y_bar = result_bars if len(result_bars) > 1 else result_bars[0]
        operand_bars = [node.op.transpose(builder, index, y_bar, *operands) for index in into]
    for index, bar in zip(into, operand_bars, strict=True):
        operand = node.operands[index]
        if bar is not None and operand is not None:
            _accumulate(builder, bars, operand, bar)


def _group_of(op: Op, into: Sequence[int], n_operands: int) -> tuple[int, ...] | None:
    """The operands that `op` is linear in jointly, if `into` are among them."""
    return next((group for group in op.linear_positions(n_operands) if set(into) <= set(group)), None)


def _not_linear(builder: Builder, node: Node, reason: str) -> RefusedError:
    return RefusedError(f"transpose: {reason}", f"in @{builder.name}" + (f", from {node.source}" if node.source else ""))


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
