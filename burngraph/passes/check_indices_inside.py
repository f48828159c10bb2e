"""Checks of indices inside branches and loops: what the nested graphs find becomes results of the op around them."""

from collections.abc import Iterable, Sequence
from functools import reduce

from burngraph.errors import InputError
from burngraph.ir.builder import Builder, Rewriter, inline
from burngraph.ir.graph import Graph, Node
from burngraph.ir.ops.arithmetic import Add, Maximum, Sub
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import GreaterEqual, Select
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.control_cond import Cond
from burngraph.ir.ops.control_scan import Scan
from burngraph.ir.ops.control_while import While
from burngraph.ir.ops.index import Take
from burngraph.ir.ops.logic import LogicalAnd
from burngraph.ir.ops.movement import Flip
from burngraph.ir.ops.reduce import ArgMax
from burngraph.ir.types import I64, U8, TensorType
from burngraph.ir.value import Emit, Value
from burngraph.passes.index_check import IndexCheck

NUMBER = TensorType(I64, ())
Checked = tuple[Graph, tuple[IndexCheck, ...]]  # a nested graph with results behind its own for each check, and the checks


def run_with_checks(rewriter: Rewriter, node: Node, inner: Sequence[Checked]) -> tuple[list[IndexCheck], list[Value]]:
    """Put the node of a control op on graphs that check; what they check, in the order of execution, and all it found.

    A branch that is not taken finds nothing. Of a loop the first step that finds anything counts, and a while ends with it.

    Raises   InputError   an op with nested graphs that is no cond, scan or while
    """
    op, checks = node.op, [check for _, each in inner for check in each]
    if not checks or (isinstance(op, Scan) and op.length == 0):
        rewriter.copy(node)
        return [], []
    operands = [v for v in rewriter.operands(node) if v is not None]
    if isinstance(op, Cond):
        outs, found = _cond(rewriter, op, operands, inner)
        rewriter.replace(node, outs)
        return checks, found
    if isinstance(op, Scan):
        outs, found = _scan(rewriter, op, operands, *inner)
    elif isinstance(op, While):
        outs, found = _while(rewriter, op, operands, *inner)
    else:
        raise InputError(
            f"checks=True cannot look into {op.name}, which indexes in a graph of its own",
            *([f"from {node.source}"] if node.source else []),
            "leave checks out, or check that function alone",
        )
    rewriter.replace(node, outs)
    return [check._replace(loops=(op.name, *check.loops)) for check in checks], found


def _cond(emit: Emit, op: Cond, operands: Sequence[Value], inner: Sequence[Checked]) -> tuple[Sequence[Value], list[Value]]:
    (on_true, of_true), (on_false, of_false) = inner
    n = len(op.results)
    yes, no = _with_none_found(on_true, n, (), of_false), _with_none_found(on_false, n, of_true, ())
    outs = emit.several(Cond(yes, no, (), op.only_true, op.only_false), *operands)
    return outs[:n], list(outs[n:])


def _with_none_found(graph: Graph, n_own: int, before: Sequence[IndexCheck], after: Sequence[IndexCheck]) -> Graph:
    """A branch with results for the checks of the other one as well, all in order."""
    builder = Builder(graph.name)
    params = [builder.param(p.type, p.name, kind) for p, kind in zip(graph.params, graph.kinds, strict=True)]
    values = inline(builder, graph, params)
    builder.source = None
    return builder.build([
        *values[:n_own], *_none_found(builder, before), *values[n_own:], *_none_found(builder, after)
    ])  # fmt: skip


def _scan(emit: Emit, op: Scan, operands: Sequence[Value], inner: Checked) -> tuple[Sequence[Value], list[Value]]:
    """What each step finds is stacked as ys; the first step, in the order of execution, that found any counts."""
    body, checks = inner
    outs = emit.several(Scan(op.n_constants, op.n_carry, op.length, body, op.reverse), *operands)
    n = len(op.results)
    parts = _by_check(checks, outs[n:])
    is_bad = emit(Cast(U8), _any_found(emit, parts))
    step = emit(Cast(I64), emit(ArgMax(0), emit(Flip((0,)), is_bad) if op.reverse else is_bad))
    if op.reverse:
        step = emit(Sub(), emit(Splat(op.length - 1, NUMBER)), step)
    found: list[Value] = []
    for part in parts:
        place, index, *steps = (emit(Take(0), stacked, step) for stacked in part)
        found += [place, index, step, *steps]
    return outs[:n], found


def _while(
    rewriter: Rewriter, op: While, operands: Sequence[Value], of_cond: Checked, of_body: Checked
) -> tuple[Sequence[Value], list[Value]]:
    """Carries more: how many steps there were, -1 - s once step s found an index out of range, and what was found.

    If cond has checks, it is run once before the loop and then at the end of each step, for the next; its bool is carried too.
    """
    n_constants, n_own, checks = op.n_constants, len(op.results), [*of_cond[1], *of_body[1]]
    source, count, found = rewriter.source, rewriter(Splat(0, NUMBER)), _none_found(rewriter, checks)
    goes_on: Sequence[Value] = ()
    if of_cond[1]:
        goes_on, first = _split(inline(rewriter, of_cond[0], operands), 1)
        count = _stopped(rewriter, count, _any_found(rewriter, _by_check(of_cond[1], first)))
        found = [*first, *found[len(first) :]]
    rewriter.source = source
    given = [*operands, *goes_on, count, *found]
    types = [v.type for v in given]
    names = [*(p.name for p in op.body.params), *(None for _ in given[len(operands) :])]
    cond, body = _while_cond(of_cond, types, names, len(operands)), _while_body(op, of_cond, of_body, types, names)
    outs = rewriter.several(While(n_constants, cond, body), *given)
    own, rest = _split(outs, n_own)
    count, *found = rest[len(goes_on) :]
    step = rewriter(Sub(), rewriter(Splat(-1, NUMBER)), count)
    parts = _by_check(checks, found)
    return own, [v for place, index, *steps in parts for v in (place, index, step, *steps)]


def _while_cond(of_cond: Checked, types: Sequence[TensorType], names: Sequence[str | None], n_operands: int) -> Graph:
    """Whether the loop goes on, and nothing was found."""
    graph, checks = of_cond
    builder = Builder(graph.name)
    params = [builder.param(t, name) for t, name in zip(types, names, strict=True)]
    more = params[n_operands:]
    goes_on, count = (more[0], more[1]) if checks else (*inline(builder, graph, params[:n_operands]), more[0])
    builder.source = None
    return builder.build([builder(LogicalAnd(), goes_on, builder(GreaterEqual(), count, builder(Splat(0, NUMBER))))])


def _while_body(
    op: While, of_cond: Checked, of_body: Checked, types: Sequence[TensorType], names: Sequence[str | None]
) -> Graph:
    """One step; then, if cond has checks, cond on what the step gave. What is found there after a bad step does not count."""
    builder = Builder(of_body[0].name)
    params = [builder.param(t, name) for t, name in zip(types, names, strict=True)]
    n = len(op.body.params)
    own, found = _split(inline(builder, of_body[0], params[:n]), len(op.results))
    builder.source = None
    count = params[n + bool(of_cond[1])]
    one_more = builder(Add(), count, builder(Splat(1, NUMBER)))
    is_bad = _any_found(builder, _by_check(of_body[1], found)) if of_body[1] else None
    count = one_more if is_bad is None else builder(Select(), is_bad, _as_stopped(builder, count), one_more)
    if not of_cond[1]:
        return builder.build([*own, count, *found])
    goes_on, later = _split(inline(builder, of_cond[0], [*params[: op.n_constants], *own]), 1)
    builder.source = None
    if is_bad is not None:
        none = builder(Splat(-1, NUMBER))
        parts = _by_check(of_cond[1], later)
        later = [v for place, *rest in parts for v in (builder(Select(), is_bad, none, place), *rest)]
    count = _stopped(builder, count, _any_found(builder, _by_check(of_cond[1], later)))
    return builder.build([*own, *goes_on, count, *later, *found])


def _stopped(emit: Emit, count: Value, is_bad: Value) -> Value:
    return emit(Select(), is_bad, _as_stopped(emit, count), count)


def _as_stopped(emit: Emit, count: Value) -> Value:
    return emit(Sub(), emit(Splat(-1, NUMBER)), count)


def _any_found(emit: Emit, parts: Iterable[Sequence[Value]]) -> Value:
    """Whether any check has a place, which is not negative."""
    place = reduce(lambda a, b: emit(Maximum(), a, b), (place for place, *_ in parts))
    return emit(GreaterEqual(), place, emit(Splat(0, place.type)))


def _none_found(emit: Emit, checks: Sequence[IndexCheck]) -> list[Value]:
    """What the checks give where nothing was found."""
    found: list[Value] = []
    for check in checks:
        index = emit(Splat(0, check.type.with_shape(())))
        found += [emit(Splat(-1, NUMBER)), index, *(emit(Splat(0, NUMBER)) for _ in check.loops)]
    return found


def _by_check(checks: Sequence[IndexCheck], found: Sequence[Value]) -> list[list[Value]]:
    """The place, the index and the steps of each check."""
    rest = iter(found)
    return [[next(rest) for _ in range(check.n_found)] for check in checks]


def _split(values: Sequence[Value], n: int) -> tuple[Sequence[Value], Sequence[Value]]:
    return values[:n], values[n:]
