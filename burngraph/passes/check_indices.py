"""What `compile(..., checks=True)` adds: for each index that is not proved in range, whether any entry is out of it."""

from collections.abc import Iterable, Iterator, Mapping

from burngraph.ir.bounds import Bounds, bounds_inside, dtype_bounds, integer_bounds
from burngraph.ir.builder import Rewriter
from burngraph.ir.graph import Graph, Node
from burngraph.ir.op import IndexOperand, operand_names
from burngraph.ir.ops.arithmetic import Sub
from burngraph.ir.ops.broadcast import Broadcast
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Greater, Less, Select
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.control import Control
from burngraph.ir.ops.control_masked import open_composites
from burngraph.ir.ops.index import Take
from burngraph.ir.ops.logic import LogicalAnd, LogicalOr
from burngraph.ir.ops.movement import Reshape
from burngraph.ir.ops.positions import per_column
from burngraph.ir.ops.reduce import Any, ArgMax
from burngraph.ir.ops.used_where import UsedWhere, spoken_for, spoken_for_inside
from burngraph.ir.types import I32, I64, U8, TensorType
from burngraph.ir.value import Emit, Value
from burngraph.passes.check_indices_inside import run_with_checks
from burngraph.passes.index_check import IndexCheck
from burngraph.passes.simplify import drop_unread_nodes, inline_calls


def check_indices(graph: Graph) -> tuple[Graph, tuple[IndexCheck, ...]]:
    """`graph` with results more, in front, for each check: the place of the first index out of range, or -1 (i64), and it.

    %1 = take(%x, %i)                  %2 = greater(%i, 3) ...
    return %1                          return %place, %index, %1

    Composites that index are decomposed first. What is found inside a branch or a loop is a result of its op too, and of a loop
    the step: see check_indices_inside.py. Where a used_where speaks for indices, it is checked in their place, with its mask.
    """
    checked, checks = _checked(graph, {}, ())
    n_own = len(graph.results)
    results = [*checked.results[n_own:], *checked.results[:n_own]]
    return Graph(checked.name, checked.params, checked.nodes, results, checked.kinds), checks


def _checked(graph: Graph, known: Mapping[Value, Bounds], given: Iterable[Value]) -> tuple[Graph, tuple[IndexCheck, ...]]:
    """The same with the new results behind the others.

    known   bounds of parameters
    given   parameters that a used_where outside speaks for
    """
    params = graph.params
    graph = open_composites(drop_unread_nodes(inline_calls(graph)))
    now = dict(zip(params, graph.params, strict=True))
    bounds = integer_bounds(graph, {now[old]: limits for old, limits in known.items() if old in now})
    exempt = spoken_for(graph, [now[old] for old in given])
    rewriter = Rewriter(graph)
    checks: list[IndexCheck] = []
    results: list[Value] = []
    seen: set[tuple[object, ...]] = set()
    for node in graph.nodes:
        rewriter.source = node.source
        if isinstance(node.op, Control):
            limits, spoken = bounds_inside(node.op, node.values_read, bounds), spoken_for_inside(node.op, node.operands, exempt)
            inner = [_checked(each, limits, spoken.intersection(each.params)) for each in node.op.graphs()]
            found, new = run_with_checks(rewriter, node, inner)
            checks += found
            results += new
            continue
        rewriter.copy(node)
        for indices, allowed, mask in _to_check(node, bounds, exempt, seen):
            checks.append(_check_of(node, indices.type, allowed))
            used = None if mask is None else _mask_of(rewriter, node, rewriter[mask])
            results += _first_out_of_range(rewriter, rewriter[indices], allowed, used)
    return rewriter.finish([*(rewriter[v] for v in graph.results), *results]), tuple(checks)


def _to_check(
    node: Node, bounds: Mapping[Value, Bounds], exempt: set[Value], seen: set[tuple[object, ...]]
) -> Iterator[tuple[Value, IndexOperand, Value | None]]:
    """The indices to look at, what they may be, and the mask of a used_where; `seen` grows by them."""
    for allowed in node.op.index_operands(*node.operand_types):
        indices = node.operands[allowed.operand]
        assert indices is not None, "an op that names an absent operand as its indices"
        mask = node.operands[1] if isinstance(node.op, UsedWhere) else None
        if (mask is None and indices in exempt) or not indices.type.size or _is_proved(bounds[indices], allowed):
            continue
        everywhere, here = ((indices, allowed.lows, allowed.highs, each) for each in (None, mask))
        if everywhere not in seen and here not in seen:
            seen.add(here)
            yield indices, allowed, mask


def _check_of(node: Node, indices: TensorType, allowed: IndexOperand) -> IndexCheck:
    if isinstance(node.op, UsedWhere):
        return IndexCheck(node.op.of, node.op.operand, indices, allowed, node.source)
    name = operand_names(type(node.op), len(node.operands))[allowed.operand]
    return IndexCheck(node.op.name, name, indices, allowed, node.source)


def _mask_of(emit: Emit, node: Node, mask: Value) -> Value:
    """Which indices of a used_where are used, of their shape."""
    (indices, _), n_aligned = node.values_read, node.op.n_aligned  # type: ignore[attr-defined]
    n_extra, new = len(mask.shape) - n_aligned, tuple(range(n_aligned, len(indices.shape)))
    if n_extra:
        mask = emit(Any(tuple(range(n_extra))), mask)
    return emit(Broadcast(indices.shape, new), mask) if new else mask


def _is_proved(bounds: Bounds, allowed: IndexOperand) -> bool:
    return max(allowed.lows) <= bounds[0] and bounds[1] <= min(allowed.highs)


def _first_out_of_range(emit: Emit, indices: Value, allowed: IndexOperand, mask: Value | None) -> list[Value]:
    """The place of the first entry out of range, where `mask` holds if it is given, and that entry."""
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
    if mask is not None:
        bad = emit(LogicalAnd(), bad, mask)
    if bad.type.size == 1:
        bad, index = (emit(Reshape(()), v) if v.shape else v for v in (bad, indices))
        number = emit(Cast(I64), bad)
        return [emit(Sub(), number, emit(Splat(1, number.type))), index]
    flat = emit(Reshape((bad.type.size,)), bad)
    first = emit(Cast(I64), emit(ArgMax(0), emit(Cast(U8), flat)))
    place = emit(Select(), emit(Any((0,)), flat), first, emit(Splat(-1, first.type)))
    return [place, emit(Take(0), emit(Reshape(flat.shape), indices), first)]
