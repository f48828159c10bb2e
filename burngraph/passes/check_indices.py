"""What `compile(..., checks=True)` adds: for each index that is not proved in range, whether any entry is out of it."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from burngraph.errors import IndexRangeError, InputError
from burngraph.ir.bounds import Bounds, bounds_inside, dtype_bounds, integer_bounds
from burngraph.ir.builder import Builder, Rewriter, inline, rewrite
from burngraph.ir.graph import Graph, Node, Source
from burngraph.ir.op import IndexOperand, Op, operand_names
from burngraph.ir.ops.arithmetic import Add, Mul
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Greater, GreaterEqual, Less, Select
from burngraph.ir.ops.composite import decomposition
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.control import Control
from burngraph.ir.ops.control_cond import Cond
from burngraph.ir.ops.control_scan import Scan
from burngraph.ir.ops.index import Take
from burngraph.ir.ops.logic import LogicalOr
from burngraph.ir.ops.movement import Flip, Reshape
from burngraph.ir.ops.positions import per_column
from burngraph.ir.ops.reduce import Any, ArgMax
from burngraph.ir.types import I32, I64, U8, TensorType
from burngraph.ir.value import Emit, Value
from burngraph.passes.simplify import drop_unread_nodes, inline_calls

_PLACE = TensorType(I64, ())


class IndexCheck(NamedTuple):
    """One index operand that is looked at, and where it is in the user's code.

    op, operand   names
    type          of the indices
    allowed       axes and ranges
    source        the user's line
    steps         the lengths of the scans around it, the outermost first
    """

    op: str
    operand: str
    type: TensorType
    allowed: IndexOperand
    source: Source | None
    steps: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """How many places there are: one for each of the indices in each step."""
        return math.prod((*self.steps, *self.type.shape))

    def error(self, place: int, index: int) -> IndexRangeError:
        """What to raise for entry number `place`, row-major, of all steps' indices, which is `index`."""
        which = place % len(self.allowed.axes) if self.allowed.by_column else 0
        low, high = self.allowed.lows[which], self.allowed.highs[which]
        position: list[int] = []
        for n in reversed((*self.steps, *self.type.shape)):
            place, at = divmod(place, n)
            position.insert(0, at)
        steps, position = position[: len(self.steps)], position[len(self.steps) :]
        step = f", in step {', '.join(map(str, steps))} of the scan, counted from 0" if steps else ""
        return IndexRangeError(
            f"{self.op}: index {index} is out of range for axis {self.allowed.axes[which]}",
            f"in range: {low} ... {high}" if low <= high else "in range: none, as the axis is empty",
            f"found at {self.operand}{position}, of {self.operand}: {self.type}{step}",
            *([f"from {self.source}"] if self.source else []),
        )


def check_indices(graph: Graph) -> tuple[Graph, tuple[IndexCheck, ...]]:
    """`graph` with two results more, in front, for each check: the place of the first index out of range, or -1 (i64), and it.

    %1 = take(%x, %i)                  %2 = greater(%i, 3) ...
    return %1                          return %place, %index, %1

    Composites that index are decomposed first. What a branch finds are results of its cond too, -1 of the other one; what a
    scan finds are stacked results of it, of which the first step out of range counts.
    Raises   InputError   an index that is not proved in range inside a while, which has no results for its steps
    """
    checked, checks = _checked(graph, {})
    n_own = len(graph.results)
    results = [*checked.results[n_own:], *checked.results[:n_own]]
    return Graph(checked.name, checked.params, checked.nodes, results, checked.kinds), checks


def _checked(graph: Graph, known: Mapping[Value, Bounds]) -> tuple[Graph, tuple[IndexCheck, ...]]:
    """The same with the new results behind the others; `known` has bounds of parameters."""
    params = graph.params
    graph = drop_unread_nodes(inline_calls(graph))
    while any(_must_open(node) for node in graph.nodes):
        graph = rewrite(graph, _decomposed)
    bounds = integer_bounds(graph, {new: known[old] for old, new in zip(params, graph.params, strict=True) if old in known})
    rewriter = Rewriter(graph)
    checks: list[IndexCheck] = []
    results: list[Value] = []
    seen: set[tuple[Value, tuple[int, ...], tuple[int, ...]]] = set()
    for node in graph.nodes:
        rewriter.source = node.source
        if isinstance(node.op, Control):
            inside = bounds_inside(node.op, node.values_read, bounds)
            found, new = _run_with_checks(rewriter, node, [_checked(each, inside) for each in node.op.graphs()])
            checks += found
            results += new
            continue
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
    return rewriter.finish([*(rewriter[v] for v in graph.results), *results]), tuple(checks)


def _run_with_checks(
    rewriter: Rewriter, node: Node, inner: Sequence[tuple[Graph, tuple[IndexCheck, ...]]]
) -> tuple[list[IndexCheck], list[Value]]:
    """Put the node of a control op on graphs that check; what they check, and two values for each check."""
    op, checks = node.op, [check for _, each in inner for check in each]
    if not checks or (isinstance(op, Scan) and op.length == 0):
        rewriter.copy(node)
        return [], []
    if isinstance(op, Scan):
        ((body, _),) = inner
        outs = rewriter.several(Scan(op.n_constants, op.n_carry, op.length, body, op.reverse), *rewriter.operands(node))
        found = outs[len(node.results) :]
        new = []
        for check, places, indices in zip(checks, found[::2], found[1::2], strict=True):
            new += _of_first_step(rewriter, places, indices, op, check.size)
        checks = [check._replace(steps=(op.length, *check.steps)) for check in checks]
    elif isinstance(op, Cond):
        yes, no = (_with_none_found(graph, own, inner, k, len(node.results)) for k, (graph, own) in enumerate(inner))
        outs = rewriter.several(Cond(yes, no, (), op.only_true, op.only_false), *rewriter.operands(node))
        new = list(outs[len(node.results) :])
    else:
        raise InputError(
            f"checks=True cannot look into {op.name}, which indexes in a graph of its own",
            *([f"from {node.source}"] if node.source else []),
            "leave checks out, or check that function alone",
        )
    rewriter.replace(node, outs[: len(node.results)])
    return checks, new


def _of_first_step(emit: Emit, places: Value, indices: Value, scan: Scan, size: int) -> list[Value]:
    """The place and the index, out of those of all steps, of the first step that found any; `size` places are in a step."""
    # Every step's places, each step after the one before.
    starts = emit(Mul(), emit(Iota(0, places.type)), emit(Splat(size, places.type)))
    is_bad = emit(GreaterEqual(), places, emit(Splat(0, places.type)))
    places = emit(Select(), is_bad, emit(Add(), starts, places), places)
    if scan.reverse:
        places, indices, is_bad = (emit(Flip((0,)), v) for v in (places, indices, is_bad))
    step = emit(Cast(I64), emit(ArgMax(0), emit(Cast(U8), is_bad)))
    return [emit(Take(0), places, step), emit(Take(0), indices, step)]


def _with_none_found(
    graph: Graph, own: tuple[IndexCheck, ...], inner: Sequence[tuple[Graph, tuple[IndexCheck, ...]]], place: int, n_results: int
) -> Graph:
    """Branch number `place` with results for the checks of the other branch as well, all in order."""
    builder = Builder(graph.name)
    values = inline(
        builder, graph, [builder.param(p.type, p.name, kind) for p, kind in zip(graph.params, graph.kinds, strict=True)]
    )
    builder.source = None
    found: list[Value] = []
    for k, (_, checks) in enumerate(inner):
        if k == place:
            found += values[n_results:]
            continue
        for check in checks:
            found += [builder(Splat(-1, _PLACE)), builder(Splat(0, check.type.with_shape(())))]
    return builder.build([*values[:n_results], *found])


def raise_if_out_of_range(checks: Sequence[IndexCheck], found: Sequence[int]) -> None:
    """`found`: for each check the place and the index. Raises IndexRangeError for the first that is out of range."""
    for check, place, index in zip(checks, found[::2], found[1::2], strict=True):
        if place >= 0:
            raise check.error(place, index)


def _is_proved(bounds: Bounds, allowed: IndexOperand) -> bool:
    return max(allowed.lows) <= bounds[0] and bounds[1] <= min(allowed.highs)


def _indexes(op: Op, types: Sequence[TensorType | None]) -> bool:
    """Whether the op indexes, itself or in a graph of its own or one that it decomposes into."""
    graphs = [*op.graphs(), *([decomposition(op, tuple(types))] if callable(getattr(op, "decompose", None)) else [])]
    return bool(op.index_operands(*types)) or any(_indexes(n.op, n.operand_types) for graph in graphs for n in graph.nodes)


def _must_open(node: Node) -> bool:
    """Whether the op has to be decomposed for its indices to show."""
    if not callable(getattr(node.op, "decompose", None)) or node.op.index_operands(*node.operand_types):
        return False
    return _indexes(node.op, node.operand_types)


def _decomposed(emit: Emit, node: Node, operands: tuple[Value | None, ...]) -> Value | tuple[Value, ...] | None:
    return node.op.decompose(emit, *operands) if _must_open(node) else None  # type: ignore[no-any-return]


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
