"""Loops and branches that stay in the graph: scan, cond, while_loop, fori_loop.

Their functions are traced, also where the arrays are concrete: what they print are traced values. Arrays and traced values
that a function uses without taking them as arguments become operands.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from burngraph.errors import BurngraphError, DTypeError, InputError, ShapeError
from burngraph.frontend.functional.comparison import less
from burngraph.frontend.functional.creation import arange, full_like
from burngraph.frontend.functional.elementwise import add
from burngraph.frontend.functional.shape import tensor
from burngraph.frontend.recording import apply_several, is_tensor, located, type_of
from burngraph.frontend.trace import parameter_name, trace_graph
from burngraph.frontend.trees import TreeDef, flatten, leaf_paths, unflatten
from burngraph.ir.graph import Graph, Node
from burngraph.ir.ops.constant import Weight
from burngraph.ir.ops.control_cond import Cond
from burngraph.ir.ops.control_scan import Scan
from burngraph.ir.ops.control_while import While
from burngraph.ir.types import BOOL, TensorType
from burngraph.ir.value import Value

__all__ = ["cond", "fori_loop", "scan", "while_loop"]


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False
) -> tuple[Any, Any]:
    """Run `carry, y = f(carry, x)` for each slice x of `xs` along axis 0; the last carry, and the ys stacked along axis 0.

    init, xs   arrays, numbers, None, or trees of them; a number in `init` becomes an array of rank 0
    length     number of steps; needed only if `xs` has no arrays
    reverse    start with the last slice; ys stay in the order of xs

    The compiled program holds a loop, not `length` copies of the step.

    Raises     ShapeError, DTypeError   a step gives a carry of another type than it takes
               ShapeError   arrays in xs differ in length
               InputError   no length is given, or f does not give a pair
    Source     jax.lax.scan (signature and meaning)
    """
    starts, carry_tree = _arrays(init)
    arrays, xs_tree = _arrays(xs)
    steps = _length(arrays, leaf_paths(xs_tree), length)
    types = [type_of(x) for x in starts]
    slices = [type_of(x).with_shape(type_of(x).shape[1:]) for x in arrays]
    trees: list[TreeDef] = []

    def step(*leaves: Any) -> Any:
        out = f(unflatten(carry_tree, leaves[: len(starts)]), unflatten(xs_tree, leaves[len(starts) :]))
        if not isinstance(out, tuple | list) or len(out) != 2:
            raise located(InputError(f"scan: the function gives {type(out).__name__}, must give a pair (carry, y)"))
        trees.extend(flatten(each)[1] for each in out)
        return tuple(out)

    body = _traced("scan", f, step, [*types, *slices], _names(f, [carry_tree, xs_tree]))
    _check_carry("scan", carry_tree, types, trees[0], body.graph.result_types)
    constants, (graph,) = _closed([body])
    op = Scan(len(constants), len(starts), steps, graph, bool(reverse))
    results = apply_several(op, *constants, *starts, *arrays) if graph.results else ()
    n = len(starts)
    return unflatten(trees[0], results[:n]), unflatten(trees[1], results[n:])


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], *operands: Any) -> Any:
    """true_fn(*operands) if `pred` holds, else false_fn(*operands).

    pred       a Python bool, which chooses while tracing, or a bool array of rank 0, which chooses in each run
    operands   trees; leaves that are no arrays are static

    A program that chooses in each run looks at `pred`, so that everything before it is evaluated: one more synchronisation a
    call, which `Program.explain` names. Under bg.vmap over `pred` both branches run, and the results are selected.

    Raises     ShapeError, DTypeError   `pred` is no scalar bool, or the branches return different trees or types
    Source     jax.lax.cond (signature and meaning)
    """
    if isinstance(pred, bool | np.bool_):
        return true_fn(*operands) if pred else false_fn(*operands)
    if not is_tensor(pred):
        raise located(DTypeError(f"cond: the predicate is {type(pred).__name__}, must be bool", "compare it, as in x != 0"))
    leaves, tree = flatten(operands)
    positions = [i for i, leaf in enumerate(leaves) if is_tensor(leaf)]
    types = [type_of(leaves[i]) for i in positions]
    branches = []
    for fn in (true_fn, false_fn):

        def branch(*tracers: Any, fn: Callable[..., Any] = fn) -> Any:
            filled = dict(zip(positions, tracers, strict=True))
            return fn(*unflatten(tree, [filled.get(i, leaf) for i, leaf in enumerate(leaves)]))

        names = [parameter_name(fn, *_split_path(path)) for path in leaf_paths(tree)]
        branches.append(_traced("cond", fn, branch, types, [names[i] for i in positions]))
    _check_branches(*branches)
    constants, graphs = _closed(branches)
    given = [leaves[i] for i in positions]
    if not graphs[0].results:
        return unflatten(branches[0].out_tree, [])
    return unflatten(branches[0].out_tree, apply_several(Cond(*graphs), pred, *constants, *given))


def while_loop(cond_fn: Callable[[Any], Any], body_fn: Callable[[Any], Any], init: Any) -> Any:
    """Repeat `carry = body_fn(carry)` as long as `cond_fn(carry)` holds; the last carry.

    init       arrays, numbers, None, or trees of them; a number becomes an array of rank 0
    cond_fn    gives a bool of rank 0

    A program looks at the condition before every step: one synchronisation a step, which `Program.explain` names. Forward
    derivatives (bg.jvp) work; reverse ones do not, because the number of steps is not known: use fori_loop or scan.

    Raises     ShapeError, DTypeError   a step gives a carry of another type than it takes, or the condition is no scalar bool
    Source     jax.lax.while_loop (signature and meaning)
    """
    starts, tree = _arrays(init)
    types = [type_of(x) for x in starts]
    if not starts:
        raise located(InputError("while_loop: init holds no array", "carry what the condition depends on"))
    on_leaves = [lambda *leaves, fn=fn: fn(unflatten(tree, leaves)) for fn in (cond_fn, body_fn)]
    going = _traced("while_loop", cond_fn, on_leaves[0], types, _names(cond_fn, [tree]))
    found = going.graph.result_types
    if len(found) != 1 or found[0].shape != ():
        shown = ", ".join(map(str, found))
        raise located(
            ShapeError(f"while_loop: the condition is ({shown}), must be one scalar bool", "reduce it with all or any")
        )
    if found[0].dtype is not BOOL:
        raise located(DTypeError(f"while_loop: the condition is {found[0]}, must be bool", "compare it, as in x != 0"))
    body = _traced("while_loop", body_fn, on_leaves[1], types, _names(body_fn, [tree]))
    _check_carry("while_loop", tree, types, body.out_tree, body.graph.result_types)
    constants, graphs = _closed([going, body])
    return unflatten(tree, apply_several(While(len(constants), *graphs), *constants, *starts))


def fori_loop(lower: Any, upper: Any, body_fn: Callable[[Any, Any], Any], init: Any) -> Any:
    """`carry = body_fn(i, carry)` for i = lower, ..., upper - 1; the last carry.

    Python and NumPy ints as bounds make a scan, which has derivatives in both modes; traced or array bounds a while_loop.

    Raises     DTypeError   a bound is no integer;   ShapeError   a bound is no scalar; the carry's errors are scan's
    Source     jax.lax.fori_loop (signature and meaning)
    """
    lower, upper = (int(b) if isinstance(b, np.integer) else b for b in (lower, upper))
    for bound in (lower, upper):
        if is_tensor(bound):
            type_ = type_of(bound)
            if type_.shape != ():
                raise located(ShapeError(f"fori_loop: a bound is {type_}, must be a scalar"))
        is_number = isinstance(bound, int | np.integer) and not isinstance(bound, bool)
        if not (type_.dtype.is_integer if is_tensor(bound) else is_number):
            raise located(DTypeError(f"fori_loop: a bound is {bound!r}, must be an integer"))
    if not is_tensor(lower) and not is_tensor(upper):
        steps = max(upper - lower, 0)
        return scan(lambda carry, i: (body_fn(i, carry), None), init, arange(lower, lower + steps), steps)[0]
    like = next(b for b in (upper, lower) if is_tensor(b))
    first, last = (b if is_tensor(b) else full_like(like, b) for b in (lower, upper))
    if type_of(first) != type_of(last):
        raise located(
            DTypeError(f"fori_loop: bounds are {type_of(first)} and {type_of(last)}, of two dtypes", "convert one with astype")
        )
    return while_loop(lambda c: less(c[0], last), lambda c: (add(c[0], 1), body_fn(c[0], c[1])), (first, init))[1]


class _Function(NamedTuple):
    """A function traced by itself: its parameters are its own, then one for each traced value that it captured."""

    graph: Graph
    captured: list[Any]
    out_tree: TreeDef
    n_own: int


def _traced(what: str, fn: Any, on_leaves: Callable[..., Any], types: Sequence[TensorType], names: Sequence[str]) -> _Function:
    graph, captured, tree = trace_graph(on_leaves, types, getattr(fn, "__name__", what), param_names=names)
    return _Function(graph, captured, tree, len(types))


def _closed(functions: Sequence[_Function]) -> tuple[list[Any], list[Graph]]:
    """Graphs that all take the same constants first, and those: what the functions captured, traced values and arrays.

    Inside of a trace arrays are captured by that; outside of any each function has them as weights.
    """
    traced = {x._value: x for function in functions for x in function.captured}
    arrays: dict[int, Any] = {}
    graphs: list[tuple[_Function, list[Node], dict[int, Value]]] = []
    for function in functions:
        own: dict[int, Value] = {}
        nodes: list[Node] = []
        for node in function.graph.nodes:
            if isinstance(node.op, Weight):
                own[id(node.op.data)] = node.results[0]
                arrays[id(node.op.data)] = node.op.data
            else:
                nodes.append(node)
        graphs.append((function, nodes, own))
    closed = []
    for function, nodes, own in graphs:
        graph, n = function.graph, function.n_own
        captured = dict(zip((x._value for x in function.captured), graph.params[n:], strict=True))
        constants = [captured.get(v) or Value(v.type, v.name) for v in traced]
        constants += [own.get(key) or Value(type_of(array)) for key, array in arrays.items()]
        closed.append(Graph(graph.name, [*constants, *graph.params[:n]], nodes, graph.results))
    return [*traced.values(), *arrays.values()], closed


def _arrays(tree: Any) -> tuple[list[Any], TreeDef]:
    leaves, tree_def = flatten(tree)
    return [tensor(leaf) for leaf in leaves], tree_def


def _length(xs: Sequence[Any], paths: Sequence[str], length: int | None) -> int:
    types = [type_of(x) for x in xs]
    found = [f"xs{'.' + path if path else ''}: {x}" for path, x in zip(paths, types, strict=True)]
    if any(not x.shape for x in types):
        raise located(ShapeError("scan: an array in xs has no axis to take slices along", *found))
    lengths = {x.shape[0] for x in types}
    if len(lengths) > 1:
        raise located(ShapeError("scan: arrays in xs differ in length along axis 0", *found))
    if not xs and length is None:
        raise located(InputError("scan: the number of steps is not given", "pass xs with arrays, or length"))
    if length is not None and (isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 0):
        raise located(InputError(f"scan: length is {length!r}, must be an int, not negative"))
    if length is not None and lengths and lengths != {length}:
        raise located(ShapeError(f"scan: length is {length}, but the arrays in xs have another", *found))
    return lengths.pop() if lengths else length or 0


def _names(fn: Callable[..., Any], trees: Sequence[TreeDef]) -> list[str]:
    return [parameter_name(fn, i, path) for i, tree in enumerate(trees) for path in leaf_paths(tree)]


def _split_path(path: str) -> tuple[int, str]:
    first, _, rest = path.partition(".")
    return int(first), rest


def _check_carry(
    what: str, tree: TreeDef, types: Sequence[TensorType], out_tree: TreeDef, out_types: Sequence[TensorType]
) -> None:
    if tree != out_tree:
        raise located(
            ShapeError(
                f"{what}: a step gives a carry of another shape of tree than it takes", f"takes: {tree}", f"gives: {out_tree}"
            )
        )
    for path, before, after in zip(leaf_paths(tree), types, out_types, strict=False):
        if before == after:
            continue
        leaf = f"carry.{path}" if path else "the carry"
        message = f"{what}: {leaf} is {before} before a step and {after} after it"
        if before.shape != after.shape:
            raise located(ShapeError(message, "a carry keeps its shape: stack what grows as ys, or start from the final shape"))
        way = f"start from {after.dtype.long_name}, or convert the new carry with astype({before.dtype.long_name!r})"
        raise located(DTypeError(message, way))


def _check_branches(yes: _Function, no: _Function) -> None:
    if yes.out_tree != no.out_tree:
        shown = f"true_fn: {yes.out_tree}", f"false_fn: {no.out_tree}"
        raise located(ShapeError("cond: the branches return trees of different shape", *shown))
    paths = leaf_paths(yes.out_tree)
    for path, a, b in zip(paths, yes.graph.result_types, no.graph.result_types, strict=True):
        if a != b:
            leaf = f"at {path} of the result" if path else "the result"
            kind: type[BurngraphError] = ShapeError if a.shape != b.shape else DTypeError
            way = "bring them to one shape" if a.shape != b.shape else "convert one with astype"
            raise located(
                kind("cond: the branches return different types", f"{leaf}: {a} from true_fn, {b} from false_fn", way)
            )
