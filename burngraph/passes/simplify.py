"""Small exact clean-ups: inline calls, fold constants, drop identities, share equal nodes, drop unread ones."""

import numpy as np

from burngraph.errors import InputError
from burngraph.ir.builder import Rewriter, inline, rewrite
from burngraph.ir.graph import Graph, Node
from burngraph.ir.interpret import evaluate
from burngraph.ir.op import Op
from burngraph.ir.ops.call import Call
from burngraph.ir.ops.constant import MAX_CONSTANT_SIZE, Constant, Source, Splat, Weight
from burngraph.ir.ops.custom import StopGradient
from burngraph.ir.ops.elementwise import Add, Div, Elementwise, Mul, Sub
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value

MAX_INLINED = 1_000_000


def inline_calls(graph: Graph) -> Graph:
    """Put the nodes of called graphs in place of the calls, as deep as they nest; drop what only derivatives heed.

    %1 = call(%x, graph=@f)          the nodes of @f on %x

    Raises   InputError   that would be over MAX_INLINED nodes: n graphs that each call the next twice are 2**n
    """
    if _inlined_size(graph, {}) > MAX_INLINED:
        raise InputError(f"@{graph.name} has over {MAX_INLINED} nodes once its calls are inlined", "call fewer graphs")
    while any(isinstance(node.op, Call | StopGradient) for node in graph.nodes):
        graph = rewrite(graph, _inline_call)
    return graph


def _inlined_size(graph: Graph, known: dict[int, int]) -> int:
    """The nodes of `graph` with all calls inlined; `known` has those of graphs met already, by id."""
    if id(graph) not in known:
        called = (_inlined_size(n.op.graph, known) if isinstance(n.op, Call) else 1 for n in graph.nodes)
        known[id(graph)] = sum(called)
    return known[id(graph)]


def _inline_call(emit: Emit, node: Node, operands: tuple[Value | None, ...]) -> tuple[Value, ...] | None:
    if isinstance(node.op, StopGradient):
        return operands[:1]
    return inline(emit, node.op.graph, operands) if isinstance(node.op, Call) else None


def fold_constants(graph: Graph) -> Graph:
    """Compute what depends on nothing: small nodes whose operands are all constant, and elementwise ops of splats.

        %1 = splat(value=2.0)
        %2 = splat(value=3.0)
        %3 = mul(%1, %2)                 %3 = splat(value=6.0)

    Also drops x*1, x/1 and x-0, which are exact for every x (nan, inf and -0 included), and remarks.
    """
    rewriter = Rewriter(graph)
    known: dict[Value, Op] = {}
    for node in graph.nodes:
        rewriter.source = node.source
        operands = rewriter.operands(node)
        ops = [None if value is None else known.get(value) for value in operands]
        same = _identity_operand(node.op, ops)
        if same is not None:
            kept = operands[same]
            assert kept is not None
            rewriter.replace(node, kept)
            continue
        folded = _folded(node, ops) if operands and all(op is not None for op in ops) else None
        if folded is not None:
            rewriter.replace(node, rewriter(folded))
        else:
            rewriter.copy(node)
        op = folded if folded is not None else node.op
        if isinstance(op, Source) and not isinstance(op, Weight):
            known[rewriter[node.results[0]]] = op
    return rewriter.finish()


_RIGHT_IDENTITY: dict[type[Op], float] = {Mul: 1.0, Div: 1.0, Sub: 0.0}


def _identity_operand(op: Op, operands: list[Op | None]) -> int | None:
    """The operand that `op` returns unchanged, as it always does or as another one is its identity element."""
    if op.is_remark:
        return 0
    if type(op) in _RIGHT_IDENTITY and _is_splat(operands[1], _RIGHT_IDENTITY[type(op)]):
        return 0
    if isinstance(op, Mul) and _is_splat(operands[0], 1.0):
        return 1
    if isinstance(op, Add):  # x + -0.0 is x for every x; x + 0.0 is not, for x = -0.0
        for index in (0, 1):
            if _is_minus_zero(operands[1 - index]):
                return index
    return None


def _is_splat(op: Op | None, value: float) -> bool:
    return isinstance(op, Splat) and op.value == value and not _is_minus_zero(op)


def _is_minus_zero(op: Op | None) -> bool:
    """-0.0 in a float dtype: as a complex number it would be -0+0j, which is no identity for an imaginary part of -0."""
    if not isinstance(op, Splat) or op.type.dtype.kind != "float" or not isinstance(op.value, float):
        return False
    return op.value == 0 and bool(np.signbit(op.value))


def _folded(node: Node, operands: list[Op | None]) -> Op | None:
    """The splat or constant that equals `node`, or None where that is not small."""
    if len(node.results) != 1 or node.op.graphs():  # a loop may take any time
        return None
    type = node.results[0].type
    if isinstance(node.op, Elementwise) and all(isinstance(op, Splat) for op in operands):
        scalars = [op.type.dtype.numpy.type(op.value).reshape(()) for op in operands if isinstance(op, Splat)]
        return Splat(evaluate(node.op, [np.asarray(s) for s in scalars], [type.with_shape(())])[0].item(), type)
    sources = [op for op in operands if isinstance(op, Source)]
    if type.size > MAX_CONSTANT_SIZE or any(op.type.size > MAX_CONSTANT_SIZE for op in sources):
        return None
    arrays: list[Array | None] = [op.reference() for op in sources]  # pyright: ignore[reportAttributeAccessIssue]
    return constant_of(evaluate(node.op, arrays, [type])[0], type)


def constant_of(array: Array, type: TensorType) -> Op:
    """A splat if all entries are the same bits, else a constant."""
    flat = np.ascontiguousarray(array).ravel()
    values = tuple(flat.tolist())
    if values and np.full_like(flat, flat[0]).tobytes() == flat.tobytes():
        return Splat(values[0], type)
    return Constant(values, type)


def drop_unread_nodes(graph: Graph) -> Graph:
    """Dead code: keep the nodes that a result depends on. Parameters stay, read or not."""
    needed = set(graph.results)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if any(value in needed for value in node.results):
            needed.update(node.values_read)
            kept.append(node)
    return Graph(graph.name, graph.params, kept[::-1], graph.results, graph.kinds)
