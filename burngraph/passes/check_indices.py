"""What `compile(..., checks=True)` adds: for each index that is not proved in range, whether any entry is out of it."""

from collections.abc import Sequence
from typing import NamedTuple

from burngraph.errors import IndexRangeError, InputError
from burngraph.ir.bounds import Bounds, dtype_bounds, integer_bounds
from burngraph.ir.builder import Rewriter, rewrite
from burngraph.ir.graph import Graph, Node, Source
from burngraph.ir.op import IndexOperand, Op, operand_names
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Greater, Less, Select
from burngraph.ir.ops.composite import decomposition
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.index import Take
from burngraph.ir.ops.logic import LogicalOr
from burngraph.ir.ops.movement import Reshape
from burngraph.ir.ops.positions import per_column
from burngraph.ir.ops.reduce import Any, ArgMax
from burngraph.ir.types import I32, I64, U8, TensorType
from burngraph.ir.value import Emit, Value
from burngraph.passes.simplify import drop_unread_nodes, inline_calls


class IndexCheck(NamedTuple):
    """One index operand that is looked at, and where it is in the user's code.

    op, operand   names
    type          of the indices
    allowed       axes and ranges
    source        the user's line
    """

    op: str
    operand: str
    type: TensorType
    allowed: IndexOperand
    source: Source | None

    def error(self, place: int, index: int) -> IndexRangeError:
        """What to raise for entry number `place`, row-major, of the indices, which is `index`."""
        which = place % len(self.allowed.axes) if self.allowed.by_column else 0
        low, high = self.allowed.lows[which], self.allowed.highs[which]
        position = []
        for n in reversed(self.type.shape):
            place, at = divmod(place, n)
            position.insert(0, at)
        return IndexRangeError(
            f"{self.op}: index {index} is out of range for axis {self.allowed.axes[which]}",
            f"in range: {low} ... {high}" if low <= high else "in range: none, as the axis is empty",
            f"found at {self.operand}{position}, of {self.operand}: {self.type}",
            *([f"from {self.source}"] if self.source else []),
        )


def check_indices(graph: Graph) -> tuple[Graph, tuple[IndexCheck, ...]]:
    """`graph` with two results more, in front, for each check: the place of the first index out of range, or -1 (i64), and it.

    %1 = take(%x, %i)                  %2 = greater(%i, 3) ...
    return %1                          return %place, %index, %1

    Composites that index are decomposed first.
    Raises   InputError   an op that indexes inside a nested graph, which no result can report from
    """
    graph = drop_unread_nodes(inline_calls(graph))
    while any(_indexes_inside(node) for node in graph.nodes):
        graph = rewrite(graph, _decomposed)
    bounds = integer_bounds(graph)
    rewriter = Rewriter(graph)
    checks: list[IndexCheck] = []
    results: list[Value] = []
    seen: set[tuple[Value, tuple[int, ...], tuple[int, ...]]] = set()
    for node in graph.nodes:
        rewriter.source = node.source
        rewriter.copy(node)
        for allowed in node.op.index_operands(*node.operand_types):
            indices = node.operands[allowed.operand]
            assert indices is not None, "an op that names an absent operand as its indices"
            key = (indices, allowed.lows, allowed.highs)
            if key in seen or not indices.type.size or _is_proved(bounds[indices], allowed):
                continue
            seen.add(key)
            name = operand_names(type(node.op), len(node.operands))[allowed.operand]
            checks.append(IndexCheck(node.op.name, name, indices.type, allowed, node.source))
            results += _first_out_of_range(rewriter, rewriter[indices], allowed)
    return rewriter.finish([*results, *(rewriter[v] for v in graph.results)]), tuple(checks)


def raise_if_out_of_range(checks: Sequence[IndexCheck], found: Sequence[int]) -> None:
    """`found`: for each check the place and the index. Raises IndexRangeError for the first that is out of range."""
    for check, place, index in zip(checks, found[::2], found[1::2], strict=True):
        if place >= 0:
            raise check.error(place, index)


def _is_proved(bounds: Bounds, allowed: IndexOperand) -> bool:
    return max(allowed.lows) <= bounds[0] and bounds[1] <= min(allowed.highs)


def _indexes(op: Op, types: Sequence[TensorType | None]) -> bool:
    """Whether the op indexes, itself or in a graph of its own."""
    if op.index_operands(*types):
        return True
    return any(_indexes(node.op, node.operand_types) for graph in op.graphs() for node in graph.nodes)


def _indexes_inside(node: Node) -> bool:
    """Whether the op has to be decomposed for its indices to show."""
    op = node.op
    if op.index_operands(*node.operand_types):
        return False
    if callable(getattr(op, "decompose", None)):
        inner = decomposition(op, node.operand_types)
        return any(_indexes(n.op, n.operand_types) or _indexes_inside(n) for n in inner.nodes)
    if _indexes(op, node.operand_types):
        raise InputError(
            f"checks=True cannot look into {op.name}, which indexes in a graph of its own",
            *([f"from {node.source}"] if node.source else []),
            "leave checks out, or check that function alone",
        )
    return False


def _decomposed(emit: Emit, node: Node, operands: tuple[Value | None, ...]) -> Value | tuple[Value, ...] | None:
    return node.op.decompose(emit, *operands) if _indexes_inside(node) else None  # type: ignore[no-any-return]


def _first_out_of_range(emit: Emit, indices: Value, allowed: IndexOperand) -> list[Value]:
    lows, highs = allowed.lows, allowed.highs
    least, most = dtype_bounds(indices.type.dtype)
    if indices.type.dtype.kind == "int" and (min(lows) < least or max(highs) > most):
        wide = I32 if max(highs) < 2**31 else I64
        checked = emit(Cast(wide), indices)
        least, most = dtype_bounds(wide)
    else:
        checked = indices
    lows, highs = (tuple(min(max(n, least), most) for n in numbers) for numbers in (lows, highs))
    bad = emit(
        LogicalOr(),
        emit(Less(), checked, per_column(emit, lows, checked.type)),
        emit(Greater(), checked, per_column(emit, highs, checked.type)),
    )
    flat = emit(Reshape((bad.type.size,)), bad)
    first = emit(Cast(I64), emit(ArgMax(0), emit(Cast(U8), flat)))
    place = emit(Select(), emit(Any((0,)), flat), first, emit(Splat(-1, first.type)))
    return [place, emit(Take(0), emit(Reshape(flat.shape), indices), first)]
