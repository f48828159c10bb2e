"""Order of evaluation: each node as late as its first reader allows, so that order depends on structure alone."""

from burngraph.ir.graph import Graph, Node
from burngraph.ir.value import Value


def order_nodes(graph: Graph) -> Graph:
    """The same nodes in the order of a depth-first walk from the results; nodes that no result needs are gone.

    Two graphs that differ only in the order they were written in become equal, so their programs have one source.

        %1 = exp(%x)                     %2 = tanh(%y)
        %2 = tanh(%y)                    %1 = exp(%x)
        %3 = sub(%2, %1)                 %3 = sub(%2, %1)
    """
    producers = graph.producers()
    ordered: list[Node] = []
    done: set[Node] = set()
    for result in graph.results:
        _walk(result, producers, ordered, done)
    return Graph(graph.name, graph.params, ordered, graph.results, graph.kinds)


def _walk(result: Value, producers: dict[Value, Node], ordered: list[Node], done: set[Node]) -> None:
    """Append what `result` needs and is not done, operands first. A stack, not recursion: graphs are deep."""
    if result not in producers or producers[result] in done:
        return
    pending: list[tuple[Node, int]] = [(producers[result], 0)]
    while pending:
        node, position = pending.pop()
        if node in done:
            continue
        for index in range(position, len(node.operands)):
            value = node.operands[index]
            maker = producers.get(value) if value is not None else None
            if maker is not None and maker not in done:
                pending += [(node, index + 1), (maker, 0)]
                break
        else:
            done.add(node)
            ordered.append(node)
