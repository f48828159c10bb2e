"""Derivatives of functions: trace to a graph, transform the graph, put the result where the call stands.

Each transform gives a function of the same arguments, so they nest freely and work inside and outside `bg.compile`. Outside a
trace the transformed graph runs op by op on concrete arrays.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.recording import active_trace, apply_several, evaluator, is_tensor, type_of
from burngraph.frontend.trace import TracedGraph, parameter_name, trace_graph
from burngraph.frontend.trees import TreeDef, flatten, leaf_paths, unflatten
from burngraph.ir.builder import inline
from burngraph.ir.graph import Graph
from burngraph.ir.ops.constant import Splat
from burngraph.ir.types import F32, TensorType
from burngraph.ir.value import Value
from burngraph.passes.linearize import linearize
from burngraph.passes.transpose import value_and_gradient
from burngraph.passes.transpose import vjp as vjp_graph


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


def _trace(fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], differentiated: Sequence[int]) -> _Traced:
    """Trace `fn`; the leaves of `args` that are arrays become parameters, other leaves are static.

    A Python float in a differentiated argument is an f32 array of rank 0, as a derivative with respect to it was asked for.
    """
    arguments: list[Any] = []
    positions: list[list[int]] = []
    trees: list[TreeDef] = []
    slots: list[list[Any]] = []
    everything = [*args, *kwargs.values()]
    names: list[str] = []
    for index, argument in enumerate(everything):
        leaves, tree = flatten(argument)
        own: list[int] = []
        paths = leaf_paths(tree)
        for place, leaf in enumerate(leaves):
            if index in differentiated and isinstance(leaf, float) and not is_tensor(leaf):
                leaf = apply_several(Splat(leaf, TensorType(F32, ())))[0]
            if is_tensor(leaf):
                own.append(len(arguments))
                leaves[place] = _Slot(len(arguments))
                arguments.append(leaf)
                if index < len(args):
                    names.append(parameter_name(fn, index, paths[place]))
                else:
                    keyword = list(kwargs)[index - len(args)]
                    names.append(f"{keyword}.{paths[place]}" if paths[place] else keyword)
        positions.append(own)
        trees.append(tree)
        slots.append(leaves)

    def on_tracers(*tracers: Any) -> Any:
        filled = [
            unflatten(tree, [tracers[leaf.index] if isinstance(leaf, _Slot) else leaf for leaf in leaves])
            for tree, leaves in zip(trees, slots, strict=True)
        ]
        return fn(*filled[: len(args)], **dict(zip(kwargs, filled[len(args) :], strict=True)))

    traced: TracedGraph = trace_graph(
        on_tracers, [type_of(a) for a in arguments], name=getattr(fn, "__name__", "f"), param_names=names
    )
    return _Traced(traced.graph, [*arguments, *traced.captured], positions, trees, traced.out_tree)


class _Slot(NamedTuple):
    """Stands for the tracer of parameter `index`."""

    index: int


def _apply(graph: Graph, arguments: Sequence[Any]) -> list[Any]:
    """Run `graph` where we are: inlined into the innermost active trace, or op by op."""
    trace = active_trace()
    if trace is not None:
        return [trace.tracer(v) for v in inline(trace.builder, graph, [trace.value_of(a) for a in arguments])]
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
    argnames   keyword arguments to differentiate
    has_aux    `fn` returns (loss, auxiliary results); the value is then that pair

    returns    (value, gradients): the tree of one argument for a single position, a tuple for several, and
               (those, {name: gradient}) when `argnames` are given, as mx.value_and_grad does

    Raises     ShapeError   the loss is not of rank 0
               DTypeError   the loss or a differentiated leaf is not a float
    """
    names = (argnames,) if isinstance(argnames, str) else tuple(argnames)
    positions = (0,) if argnums is None and not names else () if argnums is None else argnums
    numbers = (positions,) if isinstance(positions, int) else tuple(positions)
    single = len(numbers) == 1

    @wraps(fn)  # so that the signature, and with it the names of parameters, stays fn's
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for number in numbers:
            if not 0 <= number < len(args):
                raise InputError(f"value_and_grad: no positional argument {number}", f"the call has {len(args)}")
        for name in names:
            if name not in kwargs:
                raise InputError(f"value_and_grad: no keyword argument {name!r}", f"the call has {list(kwargs)}")
        chosen = [*numbers, *(len(args) + list(kwargs).index(name) for name in names)]
        traced = _trace(fn, args, kwargs, chosen)
        _check_loss(traced.graph, fn)
        wrt = [position for index in chosen for position in traced.positions[index]]
        _check_differentiable(traced.graph, wrt)
        results = _apply(value_and_gradient(traced.graph, wrt), traced.arguments)
        n = len(traced.graph.results)
        value = unflatten(traced.out_tree, results[:n])
        if has_aux and not isinstance(value, tuple | list):
            raise InputError("value_and_grad: has_aux needs fn to return (loss, auxiliary results)")
        if not has_aux and n != 1:
            raise InputError(f"value_and_grad: fn returned {n} arrays", "return one loss, or pass has_aux=True")
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
        raise DTypeError(f"argument {index} to differentiate has leaves that are not arrays")
    return unflatten(tree, [next(gradients) for _ in traced.positions[index]])


def _check_loss(graph: Graph, fn: Callable[..., Any]) -> None:
    name = getattr(fn, "__name__", "f")
    loss = graph.results[0].type if graph.results else None
    if loss is None or loss.shape != ():
        raise ShapeError(
            f"gradient of {name}: its loss is {loss}, not a scalar", "reduce it, for example with bg.mean or bg.sum"
        )
    if not loss.dtype.is_inexact:
        raise DTypeError(f"gradient of {name}: its loss is {loss}, not a float")


def _check_differentiable(graph: Graph, wrt: Sequence[int]) -> None:
    for index in wrt:
        param = graph.params[index]
        if not param.type.dtype.is_inexact:
            raise DTypeError(
                f"gradient with respect to {param!r}: only floats have one",
                "cast it with astype, or keep it out of argnums",
            )


def grad(
    fn: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] = (),
    has_aux: bool = False,
) -> Callable[..., Any]:
    """The gradient part of `value_and_grad`; with has_aux, (gradients, auxiliary results)."""
    both = value_and_grad(fn, argnums, argnames, has_aux)

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, *value[1:]) if has_aux else gradients

    wrapped.__name__ = f"grad_{getattr(fn, '__name__', 'f')}"
    return wrapped


def jvp(fn: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """`fn(*primals)` and its derivative along `tangents`, trees of the same shapes and dtypes as the primals.

    A result of integer or bool dtype has a zero tangent of its own dtype.
    """
    primals, tangents = tuple(primals), tuple(tangents)
    traced = _trace(fn, primals, {}, range(len(primals)))
    wrt = [position for own in traced.positions for position in own]
    given = flatten(list(tangents))[0]
    _check_same_types("jvp", "tangent", [traced.graph.params[i].type for i in wrt], given)
    exact = [(i, t) for i, t in zip(wrt, given, strict=True) if traced.graph.params[i].type.dtype.is_inexact]
    joint = linearize(traced.graph, [i for i, _ in exact])
    results = _apply(joint, [*traced.arguments, *(t for _, t in exact)])
    n = len(traced.graph.results)
    dots = _with_zeros(traced.graph.result_types, results[n:])
    return unflatten(traced.out_tree, results[:n]), unflatten(traced.out_tree, dots)


def vjp(fn: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`fn(*primals)` and the function from cotangents of its result to cotangents of the primals, as a tuple of trees."""
    traced = _trace(fn, primals, {}, range(len(primals)))
    wrt = [i for own in traced.positions for i in own if traced.graph.params[i].type.dtype.is_inexact]
    joint = vjp_graph(traced.graph, wrt)
    n = len(traced.graph.results)
    value = unflatten(traced.out_tree, _apply(traced.graph, traced.arguments))

    def pull_back(cotangents: Any) -> tuple[Any, ...]:
        given = flatten(cotangents)[0]
        _check_same_types("vjp", "cotangent", traced.graph.result_types, given)
        seeds = [c for c, t in zip(given, traced.graph.result_types, strict=True) if t.dtype.is_inexact]
        gradients = dict(zip(wrt, _apply(joint, [*traced.arguments, *seeds])[n:], strict=True))
        return tuple(
            unflatten(tree, [gradients[i] if i in gradients else _zeros(traced.graph.params[i].type) for i in own])
            for tree, own in zip(traced.in_trees, traced.positions, strict=True)
        )

    return value, pull_back


def _with_zeros(types: Sequence[TensorType], tangents: Sequence[Any]) -> list[Any]:
    remaining = iter(tangents)
    return [next(remaining) if type.dtype.is_inexact else _zeros(type) for type in types]


def _zeros(type: TensorType) -> Any:
    return apply_several(Splat(0, type))[0]


def _check_same_types(transform: str, what: str, types: Sequence[TensorType], given: Sequence[Any]) -> None:
    if len(types) != len(given):
        raise InputError(f"{transform}: {len(types)} {what}s expected, got {len(given)}")
    for index, (type, leaf) in enumerate(zip(types, given, strict=True)):
        if not is_tensor(leaf) or type_of(leaf) != type:
            found = type_of(leaf) if is_tensor(leaf) else leaf.__class__.__name__
            raise ShapeError(f"{transform}: {what} {index} is {found}, must be {type}")
