"""Work that every step of a loop would do alike, done once before it."""

from collections.abc import Sequence

from burngraph.ir.builder import Rewriter
from burngraph.ir.graph import Graph, Node
from burngraph.ir.ops.constant import Weight
from burngraph.ir.ops.control import Control
from burngraph.ir.split import is_free, needed_nodes
from burngraph.ir.value import Emit, Value


def hoist_invariants(graph: Graph) -> Graph:
    """Move out of the nested graphs of control flow what depends on their constants alone, and all weights.

        %y = scan(%w, %h, %xs, body=graph @f(%w, %h, %x) {        %0 = tanh(%w)
          %0 = tanh(%w)                                           %y = scan(%0, %w, %h, %xs, body=graph @f(%1, %w, %h, %x) {
          ...                                                       ...

    Constants that nothing reads are dropped. Exact. What is free, such as a splat, stays. Of cond, which runs one branch at
    most, only weights are moved. Weights have to be: `prepare` binds those of the outermost graph.
    """
    rewriter = Rewriter(graph)
    for node in graph.nodes:
        rewriter.source = node.source
        if not isinstance(node.op, Control):
            rewriter.copy(node)
            continue
        operands = [v for v in rewriter.operands(node) if v is not None]
        op, more = _hoisted(rewriter, node.op, [hoist_invariants(each) for each in node.op.graphs()], operands)
        n = op.n_before
        op, operands = _without_unread(op, [*operands[:n], *more, *operands[n:]])
        rewriter.replace(node, rewriter.several(op, *operands))
    return rewriter.finish()


def _hoisted(emit: Emit, op: Control, graphs: Sequence[Graph], operands: Sequence[Value]) -> tuple[Control, list[Value]]:
    """The op without the work that is now done through `emit`, and the values to give it as constants before its others."""
    constants = operands[op.n_before : op.n_before + op.count_constants()]
    moved = [_invariant_nodes(graph, op.count_constants(), op.repeats) for graph in graphs]
    outside: list[Value] = []
    inner: list[list[Value]] = []
    for graph, nodes in zip(graphs, moved, strict=True):
        now: dict[Value, Value] = dict(zip(graph.params, constants, strict=False))
        hoisted = _read_inside(graph, nodes)
        for node in needed_nodes(nodes, hoisted):
            made = emit.several(node.op, *(None if v is None else now[v] for v in node.operands))
            now.update(zip(node.results, made, strict=True))
        outside += [now[v] for v in hoisted]
        inner.append(hoisted)
    new = []
    for k, graph in enumerate(graphs):
        params = [v if i == k else Value(v.type) for i, hoisted in enumerate(inner) for v in hoisted]
        gone = set(inner[k])
        nodes = needed_nodes([n for n in graph.nodes if not gone.intersection(n.results)], graph.results)
        new.append(Graph(graph.name, [*params, *graph.params], nodes, graph.results))
    linear = tuple(i + len(outside) for i in op.linear)  # none is a predicate
    return op.with_constants(new, len(outside), linear), outside


def _without_unread(op: Control, operands: list[Value]) -> tuple[Control, list[Value]]:
    """The op and its operands without the constants that none of its graphs reads."""
    read = [{v for node in graph.nodes for v in node.values_read} | set(graph.results) for graph in op.graphs()]
    unread = {
        i
        for i in range(op.count_constants())
        if not any(graph.params[i] in seen for graph, seen in zip(op.graphs(), read, strict=True))
    }
    graphs = [Graph(g.name, [p for i, p in enumerate(g.params) if i not in unread], g.nodes, g.results) for g in op.graphs()]
    kept = [v for i, v in enumerate(operands) if i - op.n_before not in unread]
    gone = {i + op.n_before for i in unread}
    linear = tuple(i - sum(g < i for g in gone) for i in op.linear if i not in gone)
    return op.with_constants(graphs, -len(unread), linear), kept


def _invariant_nodes(graph: Graph, n_constants: int, repeats: bool) -> list[Node]:
    """The nodes that depend on the first parameters alone, free ones included; only weights if the graph runs once."""
    if not repeats:
        return [node for node in graph.nodes if isinstance(node.op, Weight)]
    fixed = set(graph.params[:n_constants])
    nodes: list[Node] = []
    for node in graph.nodes:
        if all(v in fixed for v in node.values_read):
            fixed.update(node.results)
            nodes.append(node)
    return nodes


def _read_inside(graph: Graph, invariant: Sequence[Node]) -> list[Value]:
    """The results of `invariant` nodes, free ones apart, that the rest of the graph reads or returns."""
    moved = {node for node in invariant if not is_free(node)}
    read = set(graph.results)
    for node in graph.nodes:
        if node not in moved:
            read.update(node.values_read)
    return [v for node in invariant if node in moved for v in node.results if v in read]
