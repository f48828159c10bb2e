"""Common subexpressions: a fact of the IR that passes and lowering both use."""

from burngraph.ir.builder import Rewriter
from burngraph.ir.graph import Graph
from burngraph.ir.op import Op
from burngraph.ir.value import Value


def share_equal_nodes(graph: Graph) -> Graph:
    """Common subexpressions: of nodes with equal ops on the same operands, keep the first.

    %1 = exp(%x)
    %2 = exp(%x)
    %3 = add(%1, %2)                 %3 = add(%1, %1)
    """
    rewriter = Rewriter(graph)
    first: dict[tuple[Op, tuple[Value | None, ...]], tuple[Value, ...]] = {}
    for node in graph.nodes:
        key = (node.op, rewriter.operands(node))
        found = first.get(key)
        if found is not None:
            rewriter.now.update(zip(node.results, found, strict=True))
        else:
            first[key] = rewriter.copy(node)
    return rewriter.finish()
