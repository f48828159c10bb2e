"""Forward derivatives that are to be evaluated, not transposed: `linearize`, and what only transposition reads written out."""

from collections.abc import Sequence

from burngraph.errors import RefusedError
from burngraph.ir.builder import map_nested_graphs, rewrite
from burngraph.ir.graph import Graph, Node
from burngraph.ir.ops.custom import CustomTangent
from burngraph.ir.value import Emit, Value
from burngraph.passes.linearize import linearize
from burngraph.passes.simplify import drop_unread_nodes
from burngraph.passes.transpose import transpose


def push_forward(graph: Graph, wrt: Sequence[int]) -> Graph:
    """`linearize(graph, wrt)` with the tangents of custom_vjp functions as ops that run.

    The tangent map of such a function is the transpose of its backward function, if that is linear in the cotangents.

    Raises   RefusedError   it is not, or an op on the way has no derivative
    """
    return _written_out(drop_unread_nodes(linearize(graph, wrt)))


def _written_out(graph: Graph) -> Graph:
    graph = map_nested_graphs(graph, _written_out)
    return rewrite(graph, _adjoint) if any(isinstance(node.op, CustomTangent) for node in graph.nodes) else graph


def _adjoint(emit: Emit, node: Node, operands: tuple[Value | None, ...]) -> tuple[Value, ...] | None:
    if not isinstance(node.op, CustomTangent):
        return None
    try:
        return node.op.adjoint(emit, transpose, operands)
    except RefusedError as error:
        raise error.add(
            "a custom_vjp function has a forward derivative only if its backward function is linear in the cotangents",
            "use reverse mode (bg.grad, bg.vjp, bg.jacrev), or define the function with bg.custom_jvp",
        ) from None
