"""From a Python function to a Graph: run it once on traced values and record what it applies."""

import functools
import inspect
import re
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from burngraph.errors import BurngraphError, InputError, ShapeError, TraceError
from burngraph.frontend.foreign import is_library, raising_expression, refusal
from burngraph.frontend.functional.shape import splat
from burngraph.frontend.other_names import explained_call
from burngraph.frontend.recording import (
    Evaluator,
    Trace,
    TracedValue,
    active_trace,
    apply,
    apply_several,
    evaluator,
    install_evaluator,
    is_array,
    is_inside_package,
    is_tensor,
    located,
    recording,
    type_of,
    user_source,
)
from burngraph.frontend.tensor import Tracer
from burngraph.frontend.trees import TreeDef, flatten, leaf_paths, unflatten
from burngraph.ir.graph import Graph, ParamKind, Source
from burngraph.ir.promotion import scalar_dtype
from burngraph.ir.types import DType, TensorType, as_dtype
from burngraph.ir.value import Value

__all__ = [
    "Evaluator",
    "TensorSpec",
    "Trace",
    "TracedGraph",
    "TracedValue",
    "Tracer",
    "active_trace",
    "apply",
    "apply_several",
    "evaluator",
    "install_evaluator",
    "is_array",
    "is_tensor",
    "parameter_name",
    "trace",
    "trace_graph",
    "type_of",
    "user_source",
]

_TRACED_TYPE = f"{Tracer.__module__}.{Tracer.__name__}"
_DTYPE = f"{DType.__module__}.{DType.__name__}"
_UNNAMED = ("std::bad_cast", "Cannot index mlx array using the given type", "incompatible function arguments", "[tree_flatten]")
_SCALARS = (bool, int, float, complex)


@dataclass(frozen=True, init=False)
class TensorSpec:
    """Stands for an array that does not exist: a shape and a dtype.

    Raises   DTypeError   no such dtype;   ShapeError   a dim is negative or no int
    """

    shape: tuple[int, ...]
    dtype: DType

    def __init__(self, shape: int | Sequence[int], dtype: Any = "float32") -> None:
        dims = tuple(shape) if isinstance(shape, Iterable) else (shape,)
        if not all(isinstance(d, int | np.integer) and d >= 0 for d in dims):
            raise located(ShapeError(f"TensorSpec: shape {shape!r} must be ints, 0 or more"))
        object.__setattr__(self, "shape", tuple(map(int, dims)))
        object.__setattr__(self, "dtype", as_dtype(dtype))

    @property
    def type(self) -> TensorType:
        return TensorType(self.dtype, self.shape)


class TracedGraph(NamedTuple):
    """What tracing gives.

    graph      its parameters are the function's own, then one for each of `captured`
    captured   traced values of outer traces that the function used
    out_tree   the shape of what the function returned; its leaves are the graph's results
    """

    graph: Graph
    captured: list[Any]
    out_tree: TreeDef


def trace_graph(
    fn: Callable[..., Any],
    specs: Sequence[TensorType],
    name: str,
    kinds: Sequence[ParamKind] | None = None,
    param_names: Sequence[str | None] | None = None,
    holds_arrays: bool = False,
) -> TracedGraph:
    """Run `fn` on one traced value per spec and record its graph.

    A traced value of an outer trace becomes a further parameter, and so does a concrete array, which becomes a weight
    "captured.N" of the outermost trace; if there is no other, or with `holds_arrays`, that is this one. A Python number that
    is returned becomes an array of rank 0.

    Raises   TraceError   `fn` used a traced value for what has no meaning in a graph, or returned no arrays
    """
    with recording(re.sub(r"\W", "", name) or "fn", holds_arrays) as trace:
        names = param_names if param_names is not None else [None] * len(specs)
        all_kinds = kinds if kinds is not None else [ParamKind.DATA] * len(specs)
        params = [
            trace.builder.param(type, param_name, kind) for type, param_name, kind in zip(specs, names, all_kinds, strict=True)
        ]
        try:
            returned = fn(*map(trace.tracer, params))
        except (TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, BurngraphError):
                raise
            explained = _explained(error)
            if explained is None:
                raise
            raise explained from error
        leaves, out_tree = flatten(returned)
        results = [_result(trace, leaf, path, fn) for leaf, path in zip(leaves, leaf_paths(out_tree), strict=True)]
        trace.close()
        return TracedGraph(trace.builder.build(results), trace.captured, out_tree)


def _result(trace: Trace, leaf: Any, path: str, fn: Callable[..., Any]) -> Value:
    if isinstance(leaf, _SCALARS) and not is_tensor(leaf):
        leaf = splat(leaf, TensorType(scalar_dtype(leaf), ()))
    if not is_tensor(leaf):
        where = f"at {path} of the returned tree" if path else "the returned value"
        error = TraceError(
            f"@{trace.builder.name} returned {type(leaf).__name__}, which is no array",
            where,
            "return arrays, numbers, None, and dicts, lists and tuples of them",
        )
        code = getattr(inspect.unwrap(fn), "__code__", None)
        if code is None or is_inside_package(code.co_filename):
            raise located(error)
        raise error.add(f"from {Source(code.co_filename, code.co_firstlineno)}")  # the line that returned is past
    value = trace.value_of(leaf)
    assert value is not None
    return value


def _explained(error: Exception) -> TraceError | None:
    """A TraceError for an error that another library raised because it was given a traced value; None for other errors."""
    outside = [f for f in traceback.extract_tb(error.__traceback__) if not is_inside_package(f.filename)]
    frames = [f for f in outside if not is_library(f.filename)] or outside
    if not frames:
        return None
    message = str(error)
    expression, where = raising_expression(frames[-1]), Source(frames[-1].filename, frames[-1].lineno or 0)
    if message.startswith("unsupported operand type"):
        if f"'{Tracer.__name__}'" not in message:
            return None
        what = message.replace(f"'{Tracer.__name__}'", "a traced value")
        return TraceError(what, f"expression: {expression}", f"from {where}", "operands are arrays and numbers")
    call = explained_call(message, expression, where, lambda: _reads_traced_value(error, expression))
    if call is not None:
        return call
    if _DTYPE in message:
        return TraceError(
            "another library's function was given a dtype of burngraph",
            f"expression: {expression}",
            f"from {where}",
            "write the bg function of the same name",
        )
    named = _TRACED_TYPE in message or re.search(rf"'{Tracer.__name__}'|not {Tracer.__name__}\b", message) is not None
    # some messages of MLX do not name the type of what it was given
    unnamed = any(text in message for text in _UNNAMED) and _reads_traced_value(error, expression)
    return refusal(expression, where) if named or unnamed else None


def _reads_traced_value(error: Exception, expression: str) -> bool:
    """Whether a local variable that `expression` names is a traced value, where `error` left the user's code."""
    words = set(re.findall(r"\w+", expression))
    at = error.__traceback__
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if not is_inside_package(file) and not is_library(file):
            if any(isinstance(x, TracedValue) for name, x in at.tb_frame.f_locals.items() if name in words):
                return True
        at = at.tb_next
    return False


def parameter_name(fn: Callable[..., Any], position: int, path: str = "") -> str:
    """The name of a leaf of fn's positional argument: "x", "params.conv1.weight", "args.0"."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):  # built-in functions have no signature
        parameters = []
    head = f"arg{position}"
    for index, parameter in enumerate(parameters):
        if parameter.kind is parameter.VAR_POSITIONAL:
            head = f"{parameter.name}.{position - index}"
            break
        if index == position and parameter.kind is not parameter.KEYWORD_ONLY:
            head = parameter.name
            break
    return f"{head}.{path}" if path else head


def trace(fn: Callable[..., Any], *examples: Any, name: str | None = None) -> Graph:
    """The Graph of `fn` for arguments like `examples`.

    examples   arrays, TensorSpecs, or trees of them; Python bool, int, float, str and None are static and stay as they are
    name       of the graph; the function's own unless given

    Raises     TraceError   the function uses values of its arrays, or closes over values of an outer trace
    """
    if not callable(fn):
        what = f"trace records a function as a graph, and was given {fn!r:.60}"
        raise located(InputError(what, "the sum of a diagonal is bg.linalg.trace"))
    specs: list[TensorType] = []
    names: list[str] = []
    arguments: list[tuple[list[Any], TreeDef]] = []
    for position, example in enumerate(examples):
        leaves, tree = flatten(example)
        for place, path in enumerate(leaf_paths(tree)):
            type = _example_type(leaves[place])
            if type is not None:
                leaves[place] = _Parameter(len(specs))
                specs.append(type)
                names.append(parameter_name(fn, position, path))
        arguments.append((leaves, tree))

    @functools.wraps(fn)
    def on_tracers(*tracers: Any) -> Any:
        return fn(
            *(
                unflatten(tree, [tracers[leaf.position] if isinstance(leaf, _Parameter) else leaf for leaf in leaves])
                for leaves, tree in arguments
            )
        )

    traced = trace_graph(on_tracers, specs, name or getattr(fn, "__name__", type_name(fn)), None, names, True)
    if traced.captured:
        raise located(
            TraceError(
                f"@{traced.graph.name} uses values of an outer trace: {traced.captured}",
                "pass them as arguments, or call the function without bg.trace",
            )
        )
    return traced.graph


class _Parameter(NamedTuple):
    """Stands for the traced value of the parameter at `position`."""

    position: int


def _example_type(leaf: Any) -> TensorType | None:
    """The type of an example that becomes a parameter; None if it is static."""
    if isinstance(leaf, TensorSpec):
        return leaf.type
    if is_tensor(leaf):
        return type_of(leaf)
    if isinstance(leaf, (*_SCALARS, str)):
        return None
    raise located(
        TraceError(
            f"an example is a {type_name(leaf)}",
            "examples are arrays, bg.TensorSpec(shape, dtype), numbers, strings, None, and trees of them",
        )
    )


def type_name(x: Any) -> str:
    return type(x).__name__
