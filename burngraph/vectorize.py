"""Functions of stacks from functions of examples (vmap), and the derivatives that are batched ones (Jacobians, Hessians)."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from burngraph.errors import BurngraphError, DTypeError, InputError, RefusedError, ShapeError
from burngraph.frontend.arguments import FlatCall
from burngraph.frontend.recording import located
from burngraph.frontend.trees import TreeDef, leaf_paths, unflatten
from burngraph.ir.graph import Graph
from burngraph.ir.types import TensorType
from burngraph.passes.batch import batch
from burngraph.passes.jacobian import has_two_parts, jacobian_forward, jacobian_reverse
from burngraph.transforms import apply_graph, trace_on

Axis = int | None


def vmap(fn: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """A function of stacked arguments that does to each example what `fn` does, all at once.

    in_axes    which axis of each argument counts examples: an int or None (all examples share it) for all arguments, or a
               tuple with an int, None or a tree prefix of these for each. Keyword arguments are stacked along axis 0
    out_axes   which axis of each result counts examples: an int, None (a result that is the same for all), or a tree prefix

    Raises     ShapeError     arguments with different numbers of examples; an axis that an array does not have
               InputError     in_axes or out_axes do not fit the arguments or results; no argument is stacked
               RefusedError   out_axes is None for a result that differs between examples

    >>> bg.vmap(lambda x, y: bg.sum(x * y), in_axes=(0, None))(mx.ones((2, 3)), mx.ones((3,)))
    array([3, 3], dtype=float32)
    """

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        call = FlatCall(fn, args, kwargs)
        axes, size = _in_axes(call, in_axes)
        types = [
            t if axis is None else t.with_shape((*t.shape[:axis], *t.shape[axis + 1 :]))
            for t, axis in zip(call.types, axes, strict=True)
        ]
        traced = call.trace(fn, types)
        places = _out_axes(traced.graph, traced.out_tree, out_axes)
        try:
            graph = batch(traced.graph, [*axes, *(None for _ in traced.captured)], places, size)
        except RefusedError as error:
            raise located(error) from None
        return unflatten(traced.out_tree, apply_graph(graph, [*call.arrays, *traced.captured]))

    return wrapped


def _in_axes(call: FlatCall, in_axes: Any) -> tuple[list[Axis], int]:
    """The normalised axis of each of the call's arrays, and how many examples there are."""
    n = call.n_positional
    if isinstance(in_axes, tuple | list):
        if len(in_axes) != n:
            raise _wrong(f"in_axes has {len(in_axes)} entries for {n} arguments", f"in_axes: {in_axes}")
        prefixes = [*in_axes, *(0 for _ in call.keywords)]
    else:
        prefixes = [in_axes] * n + [0 for _ in call.keywords]
    axes: list[Axis] = [None] * len(call.arrays)
    sizes: dict[str, int] = {}
    for index, (prefix, tree) in enumerate(zip(prefixes, call.trees, strict=True)):
        paths = leaf_paths(tree)
        for path, slot, axis in zip(paths, call.slots(index), _spread("in_axes", prefix, tree), strict=True):
            if axis is None:
                continue
            if slot is None:
                where = f"argument {index}" + (f" at {path}" if path else "")
                raise _wrong(f"{where} is no array, so it has no axis {axis}", "give it None in in_axes, or pass an array")
            name, type = call.names[slot], call.types[slot]
            if not -type.rank <= axis < type.rank:
                raise located(
                    ShapeError(f"vmap: {name} is {type} and has no axis {axis}", "give it None in in_axes to share it")
                )
            axes[slot] = axis % type.rank
            sizes[f"{name}: {type} along axis {axis}"] = type.shape[axis]
    if not sizes:
        raise _wrong("no argument is stacked", "in_axes must not be None for all of them")
    if len(set(sizes.values())) > 1:
        raise located(ShapeError("vmap: arguments have different numbers of examples", *sizes))
    return axes, next(iter(sizes.values()))


def _out_axes(graph: Graph, tree: TreeDef, out_axes: Any) -> list[Axis]:
    """The normalised axis of each result."""
    found: list[Axis] = []
    for axis, type in zip(_spread("out_axes", out_axes, tree), graph.result_types, strict=True):
        rank = type.rank + 1
        if axis is not None and not -rank <= axis < rank:
            raise located(ShapeError(f"vmap: a result is {type}, so its stack has no axis {axis}", f"out_axes: {out_axes}"))
        found.append(None if axis is None else axis % rank)
    return found


def _spread(what: str, prefix: Any, tree: TreeDef) -> list[Axis]:
    """One axis per leaf of `tree` from a prefix of it: an int or None stands for all leaves below."""
    if prefix is None or (isinstance(prefix, int | np.integer) and not isinstance(prefix, bool)):
        return [prefix] * tree.n_leaves
    items: list[Any] | None = None
    if tree.kind == "dict" and isinstance(prefix, dict) and set(prefix) == set(tree.keys):
        items = [prefix[key] for key in tree.keys]
    elif (
        tree.kind in ("list", "tuple", "namedtuple") and isinstance(prefix, list | tuple) and len(prefix) == len(tree.children)
    ):
        items = list(prefix)
    if items is None:
        raise _wrong(f"{what} {prefix!r} is no prefix of the tree {tree}", "use ints, None, and trees of them")
    return [axis for item, child in zip(items, tree.children, strict=True) for axis in _spread(what, item, child)]


def _wrong(what: str, *details: str) -> BurngraphError:
    return located(InputError(f"vmap: {what}", *details))


class ComplexJacobian(NamedTuple):
    """The derivative of a complex result by a complex argument: dy = holomorphic @ dz + antiholomorphic @ conj(dz).

    holomorphic       (dy/d(re) - i dy/d(im)) / 2
    antiholomorphic   (dy/d(re) + i dy/d(im)) / 2, zero where the function is complex differentiable

    Source   W. Wirtinger, Zur formalen Theorie der Funktionen von mehr komplexen Veränderlichen (1927)
    """

    holomorphic: Any
    antiholomorphic: Any


def jacfwd(fn: Callable[..., Any], argnums: int | Sequence[int] = 0, *, holomorphic: bool = False) -> Callable[..., Any]:
    """The Jacobian of `fn` by forward derivatives: best where arguments have fewer entries than results.

    argnums       positions of the arguments to differentiate, trees of float or complex arrays
    holomorphic   `fn` is complex differentiable, so that the derivative of a complex result by a complex argument is one
                  array, dy/dz; not checked
    returns       the tree of the result; each leaf is the tree of the argument (a tuple of them for several argnums), whose
                  leaves have shape result.shape + argument.shape. Results of integer or bool dtype have zeros; the derivative
                  of a real result by a complex argument is dy/d(re) + i dy/d(im), as `grad` gives it; that of a complex result
                  by a complex argument is a `bg.ComplexJacobian`, two arrays, unless `holomorphic`

    Raises        DTypeError   a leaf to differentiate is neither a float nor complex

    >>> bg.jacfwd(lambda x: x * x)(mx.array([1.0, 2.0]))
    array([[2, 0],
           [0, 4]], dtype=float32)
    """
    return _jacobian("jacfwd", jacobian_forward, fn, argnums, holomorphic)


def jacrev(fn: Callable[..., Any], argnums: int | Sequence[int] = 0, *, holomorphic: bool = False) -> Callable[..., Any]:
    """The Jacobian of `fn` by reverse derivatives, as `jacfwd` returns it: best where results have fewer entries.

    >>> bg.jacrev(lambda x: bg.sum(x * x))(mx.array([1.0, 2.0]))
    array([2, 4], dtype=float32)
    """
    return _jacobian("jacrev", jacobian_reverse, fn, argnums, holomorphic)


def hessian(fn: Callable[..., Any], argnums: int | Sequence[int] = 0, *, holomorphic: bool = False) -> Callable[..., Any]:
    """The second derivatives of `fn`: jacfwd(jacrev(fn)), of shape result.shape + argument.shape + argument.shape.

    By a complex argument of a real function: the `bg.ComplexJacobian` of the gradient.

    >>> bg.hessian(lambda x: bg.sum(x * x * x))(mx.array([1.0, 2.0]))
    array([[6, 0],
           [0, 12]], dtype=float32)
    """
    return jacfwd(jacrev(fn, argnums, holomorphic=holomorphic), argnums, holomorphic=holomorphic)


def _jacobian(
    name: str, walk: Callable[..., Graph], fn: Callable[..., Any], argnums: int | Sequence[int], holomorphic: bool
) -> Callable[..., Any]:
    is_single = isinstance(argnums, int | np.integer)
    numbers = (int(argnums),) if is_single else tuple(map(int, argnums))
    if len(set(numbers)) < len(numbers):
        raise InputError(f"{name}: argnums {numbers} name an argument more than once")

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for number in numbers:
            if not 0 <= number < len(args):
                raise located(InputError(f"{name}: no positional argument {number}", f"the call has {len(args)}"))
        traced = trace_on(fn, args, kwargs, numbers)
        for number in numbers:
            if len(traced.positions[number]) != traced.in_trees[number].n_leaves:
                raise located(DTypeError(f"{name}: argument {number} has leaves that are not arrays"))
        wrt = [position for number in numbers for position in traced.positions[number]]
        _check_inexact(name, traced.graph, wrt)
        remaining = iter(apply_graph(walk(traced.graph, wrt, holomorphic), traced.arguments))

        def entry(result: TensorType, position: int) -> Any:
            if has_two_parts(result, traced.graph.params[position].type, holomorphic):
                return ComplexJacobian(next(remaining), next(remaining))
            return next(remaining)

        rows: list[Any] = []
        for result in traced.graph.result_types:
            trees = [unflatten(traced.in_trees[i], [entry(result, p) for p in traced.positions[i]]) for i in numbers]
            rows.append(trees[0] if is_single else tuple(trees))
        return unflatten(traced.out_tree, rows)

    return wrapped


def _check_inexact(name: str, graph: Graph, wrt: Sequence[int]) -> None:
    for index in wrt:
        param = graph.params[index]
        if not param.type.dtype.is_inexact:
            way_out = "cast it with astype, or keep it out of argnums"
            raise located(DTypeError(f"{name} with respect to {param!r}: only floats and complex numbers have one", way_out))
