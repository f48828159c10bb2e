"""Functions that say how they are differentiated: stop_gradient, checkpoint, custom_vjp, custom_jvp."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import update_wrapper, wraps
from typing import Any

from burngraph.errors import BurngraphError, InputError
from burngraph.frontend.arguments import FlatCall, matching_leaves
from burngraph.frontend.functional.shape import splat, tensor
from burngraph.frontend.recording import active_trace, apply, apply_several, located
from burngraph.frontend.trace import TracedGraph, trace_graph
from burngraph.frontend.trees import TreeDef, flatten, map_leaves, unflatten
from burngraph.ir.graph import Graph
from burngraph.ir.op import Op
from burngraph.ir.ops.custom import Checkpoint, CustomJvp, CustomVjp, StopGradient
from burngraph.ir.types import TensorType
from burngraph.ir.value import Value

Complete = Callable[[Sequence[Any]], list[Any]]  # from the differentiated arguments to all arguments

__all__ = ["checkpoint", "custom_jvp", "custom_vjp", "stop_gradient"]


def stop_gradient(x: Any) -> Any:
    """`x`, an array or a tree of them, as it is; its derivative is zero.

    >>> bg.grad(lambda x: x * bg.stop_gradient(x))(3.0)
    array(3, dtype=float32)
    """
    return map_leaves(lambda leaf: apply(StopGradient(), tensor(leaf)), x)


def checkpoint(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn`, but a reverse derivative keeps only its arguments and computes what is inside again.

    Arrays that `fn` closes over count as arguments. Values and gradients are those of `fn`.

    >>> block = bg.checkpoint(lambda x: bg.tanh(bg.exp(x)))
    >>> bg.grad(lambda x: bg.sum(block(x)))(mx.array([0.0]))
    array([0.419974], dtype=float32)
    """

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if active_trace() is None:
            return fn(*args, **kwargs)
        call = FlatCall(fn, args, kwargs)
        traced = call.trace(fn)
        return unflatten(traced.out_tree, apply_several(Checkpoint(traced.graph), *call.arrays, *traced.captured))

    return wrapped


_rules_traced: ContextVar[tuple["_CustomDerivative", ...]] = ContextVar("burngraph_rules_traced", default=())
_MAX_DEPTH = 2  # a rule that calls its own function would be traced for ever


class _CustomDerivative(ABC):
    """A function with a derivative rule of its own.

    Where the rule calls the function again, that call has the rule once more; inside that one it is plain code.

    nondiff_argnums   positions of arguments that the rule is given as they are, before all else; not differentiated
    """

    transform: str
    way_in: str

    def __init__(self, fn: Callable[..., Any], nondiff_argnums: int | Sequence[int] = ()) -> None:
        self.fn = fn
        self.name = getattr(fn, "__name__", "f")
        self.nondiff_argnums = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        update_wrapper(self, fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._is_defined():
            raise self._wrong("there is no derivative rule yet", f"call {self.name}.{self.way_in} first")
        if active_trace() is None or _rules_traced.get().count(self) >= _MAX_DEPTH:
            return self.fn(*args, **kwargs)
        args = self._positional(args, kwargs)
        if any(not 0 <= i < len(args) for i in self.nondiff_argnums):
            raise self._wrong(f"nondiff_argnums {self.nondiff_argnums} do not fit a call with {len(args)} arguments")
        moving = [i for i in range(len(args)) if i not in self.nondiff_argnums]

        def complete(given: Sequence[Any]) -> list[Any]:
            whole = list(args)
            for index, argument in zip(moving, given, strict=True):
                whole[index] = argument
            return whole

        call = FlatCall(self.fn, [args[i] for i in moving], {}, numbers=moving)
        primal = call.trace(lambda *given: self.fn(*complete(given)))
        token = _rules_traced.set((*_rules_traced.get(), self))
        try:
            op, captured = self._op(call, primal, complete, [args[i] for i in self.nondiff_argnums])
        finally:
            _rules_traced.reset(token)
        return unflatten(primal.out_tree, apply_several(op, *call.arrays, *captured))

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments by position, defaults filled in, as the rule is given them."""
        try:
            bound = inspect.signature(self.fn).bind(*args, **kwargs)
        except ValueError:  # a built-in function has no signature
            if kwargs:
                raise self._wrong("it takes no keyword arguments", "pass them by position") from None
            return args
        bound.apply_defaults()
        if bound.kwargs:
            raise self._wrong(f"{list(bound.kwargs)} can only be given by name", "make them positional, as the rule gets them")
        return bound.args

    def _wrong(self, what: str, *details: str) -> BurngraphError:
        return located(InputError(f"{self.transform} of {self.name}: {what}", *details))

    @abstractmethod
    def _is_defined(self) -> bool: ...

    @abstractmethod
    def _op(self, call: FlatCall, primal: TracedGraph, complete: Complete, nondiff: list[Any]) -> tuple[Op, list[Any]]:
        """The op that stands for the call, and the captured values that follow the call's arrays as its operands."""


class custom_vjp(_CustomDerivative):
    """`fn` with a reverse derivative of its own, given by `defvjp`; also a decorator.

    defvjp(fwd, bwd)
        fwd(*args) -> (result, residuals)           result as fn's; residuals any tree of arrays
        bwd(residuals, cotangent) -> cotangents     a tuple with a tree for each argument; None stands for zero
    nondiff_argnums
        positions of arguments that are not differentiated: bwd(*them, residuals, cotangent)

    Forward derivatives are the transpose of bwd, where it is linear in the cotangent. Where the rule says nothing, the
    derivative is that of `fn` itself: forward, with a warning, if bwd is not linear (it clips, say) and so has no transpose,
    and by values that the functions close over.

    >>> f = bg.custom_vjp(lambda x: bg.log(1 + bg.exp(x)))
    >>> f.defvjp(lambda x: (f(x), x), lambda x, g: (g * bg.sigmoid(x),))
    >>> bg.grad(f)(1000.0)
    array(1, dtype=float32)
    """

    transform, way_in = "custom_vjp", "defvjp(fwd, bwd)"
    fwd: Callable[..., Any] | None = None
    bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set the reverse derivative."""
        self.fwd, self.bwd = fwd, bwd

    def _is_defined(self) -> bool:
        return self.fwd is not None and self.bwd is not None

    def _op(self, call: FlatCall, primal: TracedGraph, complete: Complete, nondiff: list[Any]) -> tuple[Op, list[Any]]:
        assert self.fwd is not None
        fwd, n_results = self.fwd, len(primal.graph.results)
        forward = call.trace(lambda *given: fwd(*complete(given)))
        if not _is_pair(forward.out_tree) or forward.out_tree.children[0] != primal.out_tree:
            shape = f"({primal.out_tree}, residuals)"
            raise self._wrong(f"fwd must return {shape}, as its function does, and returned {forward.out_tree}")
        backward = self._backward(call, primal, forward, nondiff)
        captured = _union([primal, forward, backward])
        n_residuals = len(forward.graph.results) - n_results
        kept = Graph(
            f"{self.name}_backward",
            _reordered(backward.graph.params, n_residuals, len(backward.captured)),
            backward.graph.nodes,
            backward.graph.results,
        )
        op = CustomVjp(
            _closed(primal, captured, [], call),
            _closed(forward, captured, backward.captured, call),
            kept,
            len(captured),
        )
        return op, captured

    def _backward(self, call: FlatCall, primal: TracedGraph, forward: TracedGraph, nondiff: list[Any]) -> TracedGraph:
        """residuals, a cotangent per inexact result -> a cotangent per inexact array of `call`."""
        assert self.bwd is not None
        bwd, types = self.bwd, primal.graph.result_types
        residual_types = forward.graph.result_types[len(types) :]
        bar_types = [t for t in types if t.dtype.is_inexact]

        def on_tracers(*tracers: Any) -> list[Any]:
            bars = iter(tracers[len(residual_types) :])
            residuals = unflatten(forward.out_tree.children[1], tracers[: len(residual_types)])
            cotangent = unflatten(primal.out_tree, [next(bars) if t.dtype.is_inexact else splat(0, t) for t in types])
            given = bwd(*nondiff, residuals, cotangent)
            if not isinstance(given, tuple | list) or len(given) != len(call.trees):
                found = f"{len(given)} entries" if isinstance(given, tuple | list) else given.__class__.__name__
                raise self._wrong(f"bwd must return a tuple of {len(call.trees)}, one entry per argument, and returned {found}")
            return [bar for index, entry in enumerate(given) for bar in self._argument_bars(call, index, entry)]

        names = [*(None for _ in residual_types), *(f"bar{i}" if i else "bar" for i in range(len(bar_types)))]
        return trace_graph(on_tracers, [*residual_types, *bar_types], f"{self.name}_backward", param_names=names)

    def _argument_bars(self, call: FlatCall, index: int, given: Any) -> list[Any]:
        types = [None if slot is None else _inexact(call.types[slot]) for slot in call.slots(index)]
        what = f"custom_vjp of {self.name}: cotangent of argument {index} from bwd"
        return _zeros_for_none(matching_leaves(what, call.trees[index], types, given), types)


class custom_jvp(_CustomDerivative):
    """`fn` with a forward derivative of its own, given by `defjvp`; the reverse one is its transpose. Also a decorator.

    defjvp(rule)
        rule(primals, tangents) -> (result, tangent of the result)     linear in the tangents
    nondiff_argnums
        positions of arguments that are not differentiated: rule(*them, primals, tangents)

    By values that the functions close over, of which the rule says nothing, the derivative is that of `fn` itself.

    >>> f = bg.custom_jvp(lambda x: bg.abs(x))
    >>> _ = f.defjvp(lambda primals, tangents: (f(*primals), bg.where(primals[0] < 0, -1.0, 1.0) * tangents[0]))
    >>> bg.grad(f)(0.0)
    array(1, dtype=float32)
    """

    transform, way_in = "custom_jvp", "defjvp(rule)"
    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the forward derivative; returns `rule`, so that it can be a decorator."""
        self.rule = rule
        return rule

    def _is_defined(self) -> bool:
        return self.rule is not None

    def _op(self, call: FlatCall, primal: TracedGraph, complete: Complete, nondiff: list[Any]) -> tuple[Op, list[Any]]:
        assert self.rule is not None
        rule, n_arrays, types = self.rule, len(call.arrays), primal.graph.result_types
        moving = [i for i, t in enumerate(call.types) if t.dtype.is_inexact]

        def on_tracers(*tracers: Any) -> list[Any]:
            tangents = [splat(0, t) for t in call.types]
            for index, dot in zip(moving, tracers[n_arrays:], strict=True):
                tangents[index] = dot
            primals = tuple(call.refilled(tracers[:n_arrays])[0])
            given = rule(*nondiff, primals, tuple(_static_as_zero(call, i, tangents) for i in range(len(primals))))
            if not isinstance(given, tuple | list) or len(given) != 2:
                raise self._wrong("the rule must return (result, tangent)")
            out, out_tree = flatten(given[0])
            if out_tree != primal.out_tree:
                raise self._wrong(f"the rule returned a result of shape {out_tree}, fn one of {primal.out_tree}")
            exact = [_inexact(t) for t in types]
            dots = matching_leaves(f"custom_jvp of {self.name}: tangent from the rule", out_tree, exact, given[1])
            return [*out, *_zeros_for_none(dots, exact)]

        traced = trace_graph(
            on_tracers,
            [*call.types, *(call.types[i] for i in moving)],
            f"{self.name}_rule",
            param_names=[*call.names, *(f"{call.names[i]}_dot" for i in moving)],
        )
        captured = _union([primal, traced])
        whole = _closed(traced, captured, [], call, len(moving))
        params = _reordered(whole.params, n_arrays, len(captured))
        return CustomJvp(
            _closed(primal, captured, [], call), Graph(whole.name, params, whole.nodes, whole.results), len(captured)
        ), captured


def _is_pair(tree: TreeDef) -> bool:
    return tree.kind == "tuple" and len(tree.children) == 2


def _inexact(type: TensorType) -> TensorType | None:
    return type if type.dtype.is_inexact else None


def _zeros_for_none(leaves: Sequence[Any], types: Sequence[TensorType | None]) -> list[Any]:
    """The leaves that have a type, zeros where they are None."""
    return [splat(0, t) if leaf is None else leaf for leaf, t in zip(leaves, types, strict=True) if t is not None]


def _static_as_zero(call: FlatCall, argument: int, tangents: Sequence[Any]) -> Any:
    """An argument's tangents in its shape; a static leaf has tangent 0.0."""
    return unflatten(call.trees[argument], [0.0 if slot is None else tangents[slot] for slot in call.slots(argument)])


def _union(traced: Sequence[TracedGraph]) -> list[Any]:
    """The captured values of several graphs, each once."""
    return list({x._value: x for each in traced for x in each.captured}.values())


def _closed(traced: TracedGraph, captured: Sequence[Any], returned: Sequence[Any], call: FlatCall, n_more: int = 0) -> Graph:
    """The graph with a parameter for each of `captured` after its own, and those of `returned` as further results.

    n_more   parameters that it has besides the call's arrays
    """
    graph, n_own = traced.graph, len(call.arrays) + n_more
    own = {x._value: param for x, param in zip(traced.captured, graph.params[n_own:], strict=True)}
    for x in captured:
        own.setdefault(x._value, Value(x.type, x._value.name))
    results = [*graph.results, *(own[x._value] for x in returned)]
    return Graph(graph.name, [*graph.params[:n_own], *(own[x._value] for x in captured)], graph.nodes, results)


def _reordered(params: Sequence[Value], n_first: int, n_last: int) -> list[Value]:
    """`params` with the last `n_last` right after the first `n_first`."""
    cut = len(params) - n_last
    return [*params[:n_first], *params[cut:], *params[n_first:cut]]
