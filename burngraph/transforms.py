"""Derivatives of functions: trace to a graph, transform the graph, put the result where the call stands.

Each transform gives a function of the same arguments, so they nest freely and work inside and outside `bg.compile`. Outside a
trace the transformed graph runs op by op on concrete arrays.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.arguments import FlatCall, matching_leaves
from burngraph.frontend.recording import active_trace, apply, apply_several, evaluator, located, type_of
from burngraph.frontend.trees import TreeDef, unflatten
from burngraph.ir.builder import inline
from burngraph.ir.graph import Graph
from burngraph.ir.ops.complex import Conj
from burngraph.ir.ops.constant import Splat
from burngraph.ir.share import share_equal_nodes
from burngraph.ir.types import TensorType
from burngraph.ir.value import Value
from burngraph.passes.linearize import linearize as linearize_graph
from burngraph.passes.push_forward import push_forward
from burngraph.passes.simplify import drop_unread_nodes, inline_calls
from burngraph.passes.split_linear import split_linear
from burngraph.passes.transpose import transpose, value_and_gradient


class _Traced(NamedTuple):
    """A function traced on given arguments: its graph, the tensors to run it on, and which of them came from where.

    arguments   tensors for the graph's parameters, captured ones last
    positions   for each argument of the function, the parameters its leaves became
    out_tree    the shape of what the function returned
    """

    graph: Graph
    arguments: list[Any]
    positions: list[list[int]]
    in_trees: list[TreeDef]
    out_tree: TreeDef


def trace_on(fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], differentiated: Sequence[int]) -> _Traced:
    """Trace `fn`; the leaves of `args` that are arrays become parameters, other leaves are static.

    A Python float in a differentiated argument is an f32 array of rank 0, as a derivative with respect to it was asked for.
    """
    call = FlatCall(fn, args, kwargs, differentiated)
    traced = call.trace(fn)
    return _Traced(traced.graph, [*call.arrays, *traced.captured], call.positions, call.trees, traced.out_tree)


def _trace_primals(transform: str, fn: Callable[..., Any], primals: Sequence[Any]) -> _Traced:
    traced = trace_on(fn, primals, {}, range(len(primals)))
    for index, (tree, own) in enumerate(zip(traced.in_trees, traced.positions, strict=True)):
        if len(own) != tree.n_leaves:
            raise located(
                DTypeError(
                    f"{transform}: primal {index} has leaves that are not arrays", "close over them in a function of the rest"
                )
            )
    return traced


def apply_graph(graph: Graph, arguments: Sequence[Any]) -> list[Any]:
    """Run `graph` where we are: inlined into the innermost active trace, or op by op."""
    graph = drop_unread_nodes(graph)
    trace = active_trace()
    if trace is not None:
        return [trace.tracer(v) for v in inline(trace.builder, graph, [trace.value_of(a) for a in arguments])]
    graph = share_equal_nodes(inline_calls(graph))
    run = evaluator()
    now: dict[Value, Any] = dict(zip(graph.params, map(run.as_array, arguments), strict=True))
    for node in graph.nodes:
        now.update(zip(node.results, run.apply(node.op, *(None if v is None else now[v] for v in node.operands)), strict=True))
    return [now[value] for value in graph.results]


def value_and_grad(
    fn: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] = (),
    has_aux: bool = False,
) -> Callable[..., Any]:
    """A function that returns `fn`'s value and the gradient of its scalar loss.

    argnums    positions of the arguments to differentiate, trees of float arrays; 0 if neither these nor `argnames` are given
               The gradient by a complex array is dL/d(re) + i dL/d(im), the way uphill, as in MLX and PyTorch
    argnames   keyword arguments to differentiate
    has_aux    `fn` returns (loss, auxiliary results); the value is then that pair

    returns    (value, gradients): the tree of one argument for a single position, a tuple for several, and
               (those, {name: gradient}) when `argnames` are given, as mx.value_and_grad does

    Raises     ShapeError   the loss is not of rank 0
               DTypeError   the loss is not a real float, or a differentiated leaf not a float or complex array

    >>> bg.value_and_grad(lambda p, x: bg.sum(p["w"] * x))({"w": mx.array([2.0])}, mx.array([5.0]))
    (array(10, dtype=float32), {'w': array([5], dtype=float32)})
    """
    names = (argnames,) if isinstance(argnames, str) else tuple(argnames)
    positions = (0,) if argnums is None and not names else () if argnums is None else argnums
    numbers = tuple(positions) if isinstance(positions, Iterable) else (positions,)
    if not callable(fn) or not all(isinstance(n, int | np.integer) for n in numbers):
        raise located(InputError("value_and_grad takes a function and ints", f"function: {fn!r}", f"argnums: {argnums!r}"))
    single = len(numbers) == 1
    if len(set(numbers)) < len(numbers) or len(set(names)) < len(names):
        raise InputError(f"value_and_grad: argnums {numbers} and argnames {names} name an argument more than once")

    @wraps(fn)  # so that the signature, and with it the names of parameters, stays fn's
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for number in numbers:
            if not 0 <= number < len(args):
                raise located(InputError(f"value_and_grad: no positional argument {number}", f"the call has {len(args)}"))
        for name in names:
            if name not in kwargs:
                raise located(InputError(f"value_and_grad: no keyword argument {name!r}", f"the call has {list(kwargs)}"))
        chosen = [*numbers, *(len(args) + list(kwargs).index(name) for name in names)]
        traced = trace_on(fn, args, kwargs, chosen)
        _check_loss(traced.graph, fn)
        wrt = [position for index in chosen for position in traced.positions[index]]
        _check_differentiable(traced.graph, wrt)
        results = apply_graph(value_and_gradient(traced.graph, wrt), traced.arguments)
        n = len(traced.graph.results)
        value = unflatten(traced.out_tree, results[:n])
        if has_aux and not isinstance(value, tuple | list):
            raise located(InputError("value_and_grad: has_aux needs fn to return (loss, auxiliary results)"))
        if not has_aux and n != 1:
            raise located(InputError(f"value_and_grad: fn returned {n} arrays", "return one loss, or pass has_aux=True"))
        remaining = iter(results[n:])
        trees = [_gradient_tree(traced, index, remaining) for index in chosen]
        by_position = trees[0] if single and numbers else tuple(trees[: len(numbers)])
        if not names:
            return value, by_position
        return value, (by_position if numbers else None, dict(zip(names, trees[len(numbers) :], strict=True)))

    wrapped.__name__ = f"value_and_grad_{getattr(fn, '__name__', 'f')}"
    return wrapped


def _gradient_tree(traced: _Traced, index: int, gradients: Any) -> Any:
    tree = traced.in_trees[index]
    if len(traced.positions[index]) != tree.n_leaves:
        raise located(DTypeError(f"argument {index} to differentiate has leaves that are not arrays"))
    return unflatten(tree, [_uphill(next(gradients)) for _ in traced.positions[index]])


def _uphill(cotangent: Any) -> Any:
    """The gradient that stands for `cotangent`: of complex numbers the conjugate, see ir/ops/complex.py."""
    return apply(Conj(), cotangent) if type_of(cotangent).dtype.kind == "complex" else cotangent


def _check_loss(graph: Graph, fn: Callable[..., Any]) -> None:
    name = getattr(fn, "__name__", "f")
    loss = graph.results[0].type if graph.results else None
    if loss is None or loss.shape != ():
        way_out = "reduce it, for example with bg.mean or bg.sum"
        raise located(ShapeError(f"gradient of {name}: its loss is {loss}, not a scalar", way_out))
    if loss.dtype.kind != "float":
        way_out = "take bg.real or bg.abs of it" if loss.dtype.is_inexact else "convert it with astype"
        raise located(DTypeError(f"gradient of {name}: its loss is {loss}, not a float", way_out))


def _check_differentiable(graph: Graph, wrt: Sequence[int]) -> None:
    for index in wrt:
        param = graph.params[index]
        if not param.type.dtype.is_inexact:
            way_out = "cast it with astype, or keep it out of argnums"
            raise located(DTypeError(f"gradient with respect to {param!r}: only floats have one", way_out))


def grad(
    fn: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] = (),
    has_aux: bool = False,
) -> Callable[..., Any]:
    """The gradient part of `value_and_grad`; with has_aux, (gradients, auxiliary results).

    >>> bg.grad(bg.grad(lambda x: x * x * x))(2.0)
    array(12, dtype=float32)
    """
    both = value_and_grad(fn, argnums, argnames, has_aux)

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, *value[1:]) if has_aux else gradients

    wrapped.__name__ = f"grad_{getattr(fn, '__name__', 'f')}"
    return wrapped


def jvp(fn: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """`fn(*primals)` and its derivative along `tangents`, trees of the same shapes and dtypes as the primals.

    primals, tangents   tuples or lists with an entry per argument of `fn`; None as a tangent stands for zero

    A result of integer or bool dtype has a zero tangent of its own dtype.

    Raises   DTypeError   a leaf of a primal is not an array
             InputError, ShapeError, DTypeError   the tangents do not fit the primals

    >>> bg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (array(6, dtype=float32), array(3, dtype=float32))
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise located(InputError(f"jvp: {name} must be a tuple with an entry per argument, not {type(given).__name__}"))
    traced = _trace_primals("jvp", fn, tuple(primals))
    wrt, chosen = _exact_tangents("jvp", traced, tuple(tangents))
    results = apply_graph(push_forward(traced.graph, wrt), [*traced.arguments, *chosen])
    n = len(traced.graph.results)
    dots = _with_zeros(traced.graph.result_types, results[n:])
    return unflatten(traced.out_tree, results[:n]), unflatten(traced.out_tree, dots)


def linearize(fn: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """`fn(*primals)` and the linear function from tangents of the primals to those of the result.

    `fn` is computed once, here; the linear function reads what was kept from it.

    Raises   DTypeError   a leaf of a primal is not an array

    >>> value, push = bg.linearize(lambda x: bg.exp(x), 0.0)
    >>> push(2.0)
    array(2, dtype=float32)
    """
    traced = _trace_primals("linearize", fn, primals)
    wrt = _exact_params(traced)
    n = len(traced.graph.results)
    split = split_linear(push_forward(traced.graph, wrt), len(traced.graph.params), n)
    computed = apply_graph(split.primal, traced.arguments)

    def push(*tangents: Any) -> Any:
        _, chosen = _exact_tangents("linearize", traced, tangents)
        dots = apply_graph(split.linear, [*computed[n:], *chosen])
        return unflatten(traced.out_tree, _with_zeros(traced.graph.result_types, dots))

    return unflatten(traced.out_tree, computed[:n]), push


def vjp(fn: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`fn(*primals)` and the function from cotangents of its result to cotangents of the primals, as a tuple of trees.

    `fn` is computed once, here; pulling back reads what was kept from it. The cotangent of a result of integer or bool
    dtype, of its own dtype, is not read, and a primal of such a dtype has zeros. None as a cotangent stands for zero.

    Raises   DTypeError   a leaf of a primal is not an array

    >>> value, pull_back = bg.vjp(lambda x, y: x * y, 2.0, 3.0)
    >>> pull_back(1.0)
    (array(3, dtype=float32), array(2, dtype=float32))
    """
    traced = _trace_primals("vjp", fn, primals)
    wrt = _exact_params(traced)
    n, types = len(traced.graph.results), traced.graph.result_types
    split = split_linear(linearize_graph(traced.graph, wrt), len(traced.graph.params), n)
    reverse = transpose(split.linear, range(split.n_residuals, len(split.linear.params)), range(len(split.linear.results)))
    computed = apply_graph(split.primal, traced.arguments)

    def pull_back(cotangents: Any) -> tuple[Any, ...]:
        given = _tensors_of("vjp: cotangents", traced.out_tree, types, cotangents)
        seeds = [c for c, t in zip(given, types, strict=True) if t.dtype.is_inexact]
        gradients = dict(zip(wrt, apply_graph(reverse, [*computed[n:], *seeds]), strict=True))
        return tuple(
            unflatten(tree, [gradients[i] if i in gradients else _zeros(traced.graph.params[i].type) for i in own])
            for tree, own in zip(traced.in_trees, traced.positions, strict=True)
        )

    return unflatten(traced.out_tree, computed[:n]), pull_back


def _exact_params(traced: _Traced) -> list[int]:
    """The parameters that have tangents: floats."""
    return [i for own in traced.positions for i in own if traced.graph.params[i].type.dtype.is_inexact]


def _exact_tangents(transform: str, traced: _Traced, tangents: tuple[Any, ...]) -> tuple[list[int], list[Any]]:
    """The parameters that have tangents, and their tangents among those given for all."""
    params = [i for own in traced.positions for i in own]
    types = [traced.graph.params[i].type for i in params]
    given = _tensors_of(f"{transform}: tangents", TreeDef("tuple", tuple(traced.in_trees)), types, tangents)
    wrt = _exact_params(traced)
    return wrt, [t for i, t in zip(params, given, strict=True) if i in wrt]


def _with_zeros(types: Sequence[TensorType], tangents: Sequence[Any]) -> list[Any]:
    remaining = iter(tangents)
    return [next(remaining) if type.dtype.is_inexact else _zeros(type) for type in types]


def _zeros(type: TensorType) -> Any:
    return apply_several(Splat(0, type))[0]


def _tensors_of(what: str, tree: TreeDef, types: Sequence[TensorType], given: Any) -> list[Any]:
    """The leaves of `given`, of the shape of `tree`, which must be of `types`; zeros where it has None."""
    found = matching_leaves(what, tree, types, given)
    return [_zeros(type) if leaf is None else leaf for type, leaf in zip(types, found, strict=True)]
