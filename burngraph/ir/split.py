"""A graph in two: what does not depend on some of its parameters, and what does."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from burngraph.ir.graph import Graph, Node
from burngraph.ir.op import FREE
from burngraph.ir.ops.constant import Source, Splat, Weight
from burngraph.ir.value import Value


class Parts(NamedTuple):
    """What `split` gives; the values of all parts are those of the graph that was split.

    early       the nodes that do not depend on the chosen parameters
    late        the nodes that do, and copies of early ones that cost nothing
    residuals   what `late` reads of the other parameters and of `early`
    """

    early: list[Node]
    late: list[Node]
    residuals: list[Value]


def dependents(graph: Graph, values: Iterable[Value]) -> set[Value]:
    """`values`, and all that depends on them."""
    found = set(values)
    for node in graph.nodes:
        if any(value in found for value in node.values_read):
            found.update(node.results)
    return found


def needed_nodes(nodes: Sequence[Node], results: Iterable[Value]) -> list[Node]:
    """The nodes that `results` depend on."""
    needed = set(results)
    kept: list[Node] = []
    for node in reversed(nodes):
        if any(value in needed for value in node.results):
            needed.update(node.values_read)
            kept.append(node)
    return kept[::-1]


def is_zero(node: Node, zero: set[Value]) -> bool:
    """Whether the node's results are zero whatever the parameters are, if the values in `zero` are."""
    if isinstance(node.op, Splat):
        return node.op.value == 0
    if zero.isdisjoint(node.values_read):
        return False
    groups = node.op.linear_positions(len(node.operands))
    return any(group and all(node.operands[i] is None or node.operands[i] in zero for i in group) for group in groups)


def split(graph: Graph, chosen: Sequence[Value], results: Sequence[Value]) -> Parts:
    """Split the nodes by whether they depend on the parameters `chosen`; `results` is what the late part has to give.

    What is free to make again (a splat, a broadcast, a reshape) is made again rather than kept as a residual. So is what is
    zero whatever the parameters are: once kept, it would not be known to be zero, and a sum with it would not count as linear.
    """
    dependent = dependents(graph, chosen)
    early = [node for node in graph.nodes if not any(value in dependent for value in node.results)]
    late = needed_nodes([node for node in graph.nodes if any(value in dependent for value in node.results)], results)
    wanted = dict.fromkeys(value for node in late for value in node.values_read if value not in dependent)
    wanted.update(dict.fromkeys(value for value in results if value not in dependent))
    zero: set[Value] = set()
    for node in early:
        if is_zero(node, zero):
            zero.update(node.results)
    again: list[Node] = []
    for node in reversed(early):
        here = [value for value in node.results if value in wanted]
        if here and all(value in zero for value in here):
            again.extend(Node(Splat(0, value.type), (), (value,), node.source) for value in here)
        elif here and is_free(node):
            again.append(node)
            wanted.update(dict.fromkeys(node.values_read))
    remade = {value for node in again for value in node.results}
    residuals = [value for value in graph.values() if value in wanted and value not in remade]
    return Parts(early, [*again[::-1], *late], residuals)


def is_free(node: Node) -> bool:
    """Whether the node takes no time that counts, so that its result is not worth keeping."""
    if isinstance(node.op, Source):
        return not isinstance(node.op, Weight)
    return bool(node.op.cost(*node.operand_types) == FREE)
