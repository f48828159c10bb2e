"""Where an op that the user applies goes: into the innermost active trace, or to the evaluator of concrete arrays.

`trace.py` is what other parts import; this file is the part of it that `functional*.py` need.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np

from burngraph.errors import BurngraphError, TraceError
from burngraph.frontend.foreign import caller_outside, is_indexing, running_expression
from burngraph.frontend.foreign import refusal as foreign_refusal
from burngraph.ir.builder import Builder, infer_types
from burngraph.ir.graph import ParamKind, Source
from burngraph.ir.interpret import evaluate
from burngraph.ir.op import Op, check_operand_count
from burngraph.ir.ops.constant import Splat, Weight
from burngraph.ir.types import DType, TensorType
from burngraph.ir.types import type_of as numpy_type_of
from burngraph.ir.value import Value

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def user_source() -> Source | None:
    """The innermost line of the call stack that is outside burngraph; None if all of it is inside."""
    frame = caller_outside(_PACKAGE)
    return None if frame is None else Source(frame.f_code.co_filename, frame.f_lineno)


def is_inside_package(file: str) -> bool:
    return file.startswith(_PACKAGE)


def located(error: BurngraphError) -> BurngraphError:
    """`error` with the user's line added, if one is running."""
    source = user_source()
    return error if source is None else error.add(f"from {source}")


class Evaluator(Protocol):
    """Runs ops on concrete arrays, at once or lazily, outside a trace."""

    def is_array(self, x: Any) -> bool: ...

    def as_array(self, x: Any) -> Any: ...

    def frozen(self, x: Any) -> Any:
        """as_array, which later writes into `x` do not reach."""

    def type_of(self, x: Any) -> TensorType: ...

    def apply(self, op: Op, *arrays: Any) -> tuple[Any, ...]: ...

    def guarded(self, refuse: Callable[[Any], None]) -> AbstractContextManager[None]:
        """While a graph is recorded: `refuse` is called on what the library would pass over without a word."""
        ...


class ReferenceEvaluator:
    """The NumPy meaning of each op; serves until `compile.py` installs a device."""

    def is_array(self, x: Any) -> bool:
        return isinstance(x, np.ndarray | np.generic)

    def as_array(self, x: Any) -> Any:
        return np.asarray(x)

    def guarded(self, refuse: Callable[[Any], None]) -> AbstractContextManager[None]:
        return nullcontext()

    def frozen(self, x: Any) -> Any:
        return np.array(x)

    def type_of(self, x: Any) -> TensorType:
        return numpy_type_of(np.asarray(x))

    def apply(self, op: Op, *arrays: Any) -> tuple[Any, ...]:
        types = [None if a is None else numpy_type_of(a) for a in arrays]
        return tuple(evaluate(op, arrays, infer_types(op, types)))


_evaluator: Evaluator = ReferenceEvaluator()


def install_evaluator(evaluator: Evaluator) -> None:
    """Let `evaluator` run ops on concrete arrays from now on."""
    global _evaluator
    _evaluator = evaluator


def evaluator() -> Evaluator:
    return _evaluator


class TracedValue:
    """What a traced value is; `tensor.Tracer` adds operators and methods.

    What needs the values themselves raises TraceError: a graph is built before they exist.
    """

    __slots__ = ("__weakref__", "_trace", "_value")
    __array_ufunc__ = None  # so that numpy_array + tracer calls __radd__ instead of making an object array

    def __init__(self, trace: "Trace", value: Value) -> None:
        self._trace = trace
        self._value = value

    @property
    def type(self) -> TensorType:
        return self._value.type

    @property
    def shape(self) -> tuple[int, ...]:
        return self._value.type.shape

    @property
    def dtype(self) -> DType:
        return self._value.type.dtype

    @property
    def ndim(self) -> int:
        return self._value.type.rank

    @property
    def size(self) -> int:
        return self._value.type.size

    @property
    def nbytes(self) -> int:
        return self._value.type.bytes

    def __repr__(self) -> str:
        name = f" {self._value.name}" if self._value.name else ""
        return f"<traced{name}: {self._value.type}>"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a traced value of rank 0")
        return self.shape[0]

    def __bool__(self) -> bool:
        raise self._refusal(
            "a branch (if, while, and, or, not, in) depends on",
            "choose between values with bg.where(cond, x, y), between functions with bg.cond; loop with bg.while_loop",
        )

    def __float__(self) -> float:
        raise self._refusal("float() needs the number in", "keep it as an array: bg functions take it as it is")

    def __int__(self) -> int:
        raise self._refusal("int() needs the number in", "keep it as an array, and convert with x.astype('int32')")

    def __index__(self) -> int:
        raise self._refusal(
            "a Python index, a shape or a range needs the number in",
            "index with x[i] on a traced x or bg.take(x, i, axis=0), or pass a Python int, which is static",
        )

    def __complex__(self) -> complex:
        raise self._refusal("complex() needs the number in", "keep it as an array: bg functions take it as it is")

    def __array__(self, *_: Any, **__: Any) -> Any:
        frame = caller_outside(_PACKAGE)
        expression = running_expression(frame) if frame else ""
        if is_indexing(expression):
            raise foreign_refusal(expression, user_source())
        raise self._refusal("NumPy needs the entries of", "call the bg function of the same name instead of the np one")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """NumPy calls it for each function of its own that is given a traced value."""
        if function in (np.shape, np.ndim, np.size):
            return function._implementation(*args, **kwargs)
        raise self._foreign()

    def __dlpack__(self, *_: Any, **__: Any) -> Any:
        raise self._refusal("another array library needs the entries of", "call the bg function of the same name")

    def __mlx_array__(self) -> Any:
        """MLX calls it before it looks at an operand; without it `mx_array == tracer` would be a plain False."""
        raise self._foreign()

    def _foreign(self) -> TraceError:
        if self._trace not in _active.get():
            return leaked(self)
        frame = caller_outside(_PACKAGE)
        return foreign_refusal(running_expression(frame) if frame else "", user_source())

    def __setitem__(self, index: Any, value: Any) -> None:
        raise self._refusal(
            "an assignment writes into", "make a new value instead: x = x.at[index].set(value), or x = bg.where(mask, new, x)"
        )

    def __delitem__(self, index: Any) -> None:
        raise self._refusal("del removes entries of", "make a new value of what is left: x[1:], or bg.concat([...])")

    def __copy__(self) -> "TracedValue":
        return self  # a value is never written to

    def __deepcopy__(self, memo: Any) -> "TracedValue":
        return self

    def __format__(self, spec: str) -> str:
        if spec:
            raise self._refusal(f"the format {spec!r} needs the number in", "return it and format the result")
        return repr(self)

    def item(self) -> Any:
        raise self._refusal("item() needs the number in", "keep it as an array: bg functions take it as it is")

    def tolist(self) -> Any:
        raise self._refusal("tolist() needs the entries of", "return the value from the traced function instead")

    def _refusal(self, what: str, way_out: str) -> TraceError:
        if self._trace not in _active.get():
            return leaked(self)
        return TraceError(
            f"{what} a traced value, which has no entries while the graph is built",
            f"value: {self!r}",
            f"from {user_source()}",
            way_out,
        )


_tracer_class: type[TracedValue] = TracedValue


def install_tracer_class(tracer_class: type[TracedValue]) -> None:
    """Make new traced values of `tracer_class`; `tensor.py`, which builds on the functions that build on this, calls it."""
    global _tracer_class
    _tracer_class = tracer_class


class Trace:
    """One graph being recorded.

    outer      the trace around it, which holds the arrays that it captures; None if it does so itself
    captured   traced values of outer traces that were used inside, in order of first use
    """

    def __init__(self, name: str, outer: "Trace | None") -> None:
        self.builder = Builder(name)
        self.outer = outer
        self.captured: list[TracedValue] = []
        self._captured_values: dict[Value, Value] = {}
        # id of a captured array -> (the array, whose id this keeps its own, and the traced value that stands for it)
        self._arrays: dict[int, tuple[Any, TracedValue]] = {}

    def tracer(self, value: Value) -> Any:
        return _tracer_class(self, value)

    def value_of(self, x: Any) -> Value | None:
        """The value in this graph that stands for `x`: a traced value, a concrete array, or None."""
        if x is None:
            return None
        if isinstance(x, TracedValue):
            if x._trace is self:
                return x._value
            return self._capture_traced(x)
        if not is_array(x):
            raise located(TraceError(f"{type(x).__name__} is not an array", "make one with bg.asarray(...)"))
        return self._capture_array(x)

    def _capture_traced(self, x: TracedValue) -> Value:
        if x._trace not in _active.get():
            raise leaked(x)
        outer = x._value
        if outer not in self._captured_values:
            self.captured.append(x)
            self._captured_values[outer] = Value(outer.type, outer.name)
        return self._captured_values[outer]

    def _capture_array(self, x: Any) -> Value:
        if isinstance(x, np.generic):  # a NumPy scalar has a dtype and is not weak, but no more identity than a number
            return self.builder(Splat(x.item(), numpy_type_of(np.asarray(x))))
        return self._array(x)._value if self.outer is None else self._capture_traced(self._array(x))

    def _array(self, x: Any) -> TracedValue:
        """The traced value that stands for a concrete array in the outermost trace, which alone has weights.

        The key of a weight says which array it is among those of one trace. So a graph that may come to stand in another
        trace takes them as operands.
        """
        if self.outer is not None:
            self.outer.builder.source = self.builder.source
            return self.outer._array(x)
        if id(x) not in self._arrays:
            array = _evaluator.frozen(x)
            value = self.builder(Weight(f"captured.{len(self._arrays)}", _evaluator.type_of(array), array))
            self._arrays[id(x)] = (x, self.tracer(value))
        return self._arrays[id(x)][1]

    def close(self) -> None:
        """Append the captured values of outer traces to the parameters, so that the graph is closed."""
        for value in self._captured_values.values():
            self.builder.params.append(value)
            self.builder.kinds.append(ParamKind.DATA)


_active: ContextVar[tuple[Trace, ...]] = ContextVar("burngraph_active_traces", default=())


def _refuse_traced(x: Any) -> None:
    if isinstance(x, TracedValue):
        raise x._foreign()


@contextmanager
def recording(name: str, holds_arrays: bool = False) -> Iterator[Trace]:
    """Make a new trace the innermost active one inside the `with` block.

    holds_arrays   whether the arrays that it captures are weights in it although there is a trace around it
    """
    stack = _active.get()
    trace = Trace(name, stack[-1] if stack and not holds_arrays else None)
    token = _active.set((*stack, trace))
    try:
        with _evaluator.guarded(_refuse_traced) if not stack else nullcontext():
            yield trace
    finally:
        _active.reset(token)


def active_trace() -> Trace | None:
    """The innermost active trace, if any."""
    stack = _active.get()
    return stack[-1] if stack else None


def leaked(x: TracedValue) -> TraceError:
    made_by = f"value: {x!r}, traced in @{x._trace.builder.name}"
    return TraceError(
        "a traced value is used after its trace has ended",
        made_by,
        f"from {user_source()}",
        "return it from the traced function instead of storing it in an attribute, a global or a list",
    )


def is_array(x: Any) -> bool:
    """Whether `x` is a concrete array (a Python number is not)."""
    if isinstance(x, np.ndarray | np.generic):
        return not isinstance(x, float | complex)  # np.float64 and np.complex128 are Python numbers too
    return _evaluator.is_array(x)


def is_tensor(x: Any) -> bool:
    """Whether `x` is a traced value or a concrete array."""
    return isinstance(x, TracedValue) or is_array(x)


def type_of(x: Any) -> TensorType:
    """dtype and shape of a traced value or concrete array."""
    if isinstance(x, TracedValue):
        return x.type
    return _evaluator.type_of(_evaluator.as_array(x))


def apply_several(op: Op, *operands: Any) -> tuple[Any, ...]:
    """Apply `op` to traced values and concrete arrays (None for an absent one); all its results.

    Inside a trace the op is recorded in the innermost one, and the results are Tracers; else the evaluator runs it.
    """
    trace = active_trace()
    if trace is not None:
        trace.builder.source = user_source()
        values = [trace.value_of(x) for x in operands]
        return tuple(trace.tracer(value) for value in trace.builder.several(op, *values))
    for x in operands:
        if isinstance(x, TracedValue):
            raise leaked(x)
    try:
        check_operand_count(op, operands)
        return _evaluator.apply(op, *(None if x is None else _evaluator.as_array(x) for x in operands))
    except BurngraphError as error:
        raise located(error) from None


def apply(op: Op, *operands: Any) -> Any:
    """Apply an op that has one result."""
    (result,) = apply_several(op, *operands)
    return result
