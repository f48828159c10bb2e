"""The traced value with mx.array's operators, indexing and methods, each a call of the function of that name."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from burngraph.errors import InputError, ShapeError
from burngraph.frontend.blame import operand
from burngraph.frontend.functional import comparison, cumulative, elementwise, fourier, rearrange, special, splitting
from burngraph.frontend.functional import indexing as index
from burngraph.frontend.functional import reduction as reduce
from burngraph.frontend.functional import scattering as scatter
from burngraph.frontend.functional import shape as movement
from burngraph.frontend.guard import guarded
from burngraph.frontend.other_names import no_attribute
from burngraph.frontend.recording import TracedValue, install_tracer_class, is_tensor, located

Binary = Callable[[Any, Any], Any]


def _operator(function: Binary) -> Any:
    def method(self: Any, other: Any) -> Any:
        return function(self, other) if _is_operand(other) else _refused(function, 1, other)

    return method


def _reflected(function: Binary) -> Any:
    def method(self: Any, other: Any) -> Any:
        return function(other, self) if _is_operand(other) else _refused(function, 0, other)

    return method


def _is_operand(x: Any) -> bool:
    return isinstance(x, bool | int | float | complex) or is_tensor(x)


def _refused(function: Binary, position: int, other: Any) -> Any:
    """Raises DTypeError for what Python itself makes; another library's object may know what to do with a traced value."""
    if other is None and function in (comparison.equal, comparison.not_equal):
        return NotImplemented  # False and True
    if other is None or isinstance(other, str | bytes | list | tuple | dict | set):
        raise operand(function, position, other)
    return NotImplemented


def _quotient_and_remainder(x: Any, y: Any) -> tuple[Any, Any]:
    return elementwise.floor_divide(x, y), elementwise.remainder(x, y)


def _method(function: Callable[..., Any]) -> Any:
    function = guarded(function)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__doc__ = function.__doc__
    method.__name__ = function.__name__
    return method


class Tracer(TracedValue):
    """A value of a graph that is being recorded. Not an mx.array: mx functions would compute on a dummy without a word."""

    __slots__ = ()

    __add__, __radd__ = _operator(elementwise.add), _reflected(elementwise.add)
    __sub__, __rsub__ = _operator(elementwise.subtract), _reflected(elementwise.subtract)
    __mul__, __rmul__ = _operator(elementwise.multiply), _reflected(elementwise.multiply)
    __truediv__, __rtruediv__ = _operator(elementwise.divide), _reflected(elementwise.divide)
    __floordiv__, __rfloordiv__ = _operator(elementwise.floor_divide), _reflected(elementwise.floor_divide)
    __mod__, __rmod__ = _operator(elementwise.remainder), _reflected(elementwise.remainder)
    __divmod__, __rdivmod__ = _operator(_quotient_and_remainder), _reflected(_quotient_and_remainder)
    __pow__, __rpow__ = _operator(elementwise.pow), _reflected(elementwise.pow)
    __matmul__, __rmatmul__ = _operator(reduce.matmul), _reflected(reduce.matmul)
    __and__, __rand__ = _operator(comparison.bitwise_and), _reflected(comparison.bitwise_and)
    __or__, __ror__ = _operator(comparison.bitwise_or), _reflected(comparison.bitwise_or)
    __xor__, __rxor__ = _operator(comparison.bitwise_xor), _reflected(comparison.bitwise_xor)
    __lshift__, __rlshift__ = _operator(comparison.bitwise_left_shift), _reflected(comparison.bitwise_left_shift)
    __rshift__, __rrshift__ = _operator(comparison.bitwise_right_shift), _reflected(comparison.bitwise_right_shift)
    __lt__, __le__ = _operator(comparison.less), _operator(comparison.less_equal)
    __gt__, __ge__ = _operator(comparison.greater), _operator(comparison.greater_equal)
    __eq__, __ne__ = _operator(comparison.equal), _operator(comparison.not_equal)
    __hash__ = object.__hash__  # == makes an array, so that identity is all that is left to hash

    __neg__ = _method(elementwise.negative)
    __abs__ = _method(elementwise.abs)
    __invert__ = _method(comparison.bitwise_invert)
    __getitem__ = _method(index.getitem)

    def __pos__(self) -> "Tracer":
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(len(self))])

    def __round__(self, ndigits: int | None = None) -> Any:
        if ndigits:
            raise located(InputError(f"round to {ndigits} digits: only to whole numbers here", "as in bg.round(x * 100) / 100"))
        return elementwise.round(self)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """burngraph itself, for code that asks its arrays for their functions, as the array API has it.

        Raises   InputError   a later version of the standard than burngraph.__array_api_version__
        """
        package: Any = sys.modules[__name__.partition(".")[0]]  # this room is below it
        if api_version is not None and api_version > package.__array_api_version__:
            way_out = f"the latest that is here: {package.__array_api_version__}"
            raise located(InputError(f"no version {api_version!r} of the array API standard", way_out))
        return package

    def __getattr__(self, name: str) -> Any:
        raise no_attribute(self, name)

    @property
    def at(self) -> scatter.At:
        """x.at[index].set(v), .add, .subtract, .multiply, .divide, .maximum, .minimum: a new array with x[index] updated."""
        return scatter.At(self)

    @property
    def T(self) -> Any:
        """All axes in reverse order."""
        return movement.transpose(self)

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        return movement.matrix_transpose(self)

    def transpose(self, *axes: Any) -> Any:
        """permute_dims by `axes`, given singly or as one sequence; all axes reversed if there are none."""
        if len(axes) == 2 and len(self.shape) > 2 and all(isinstance(axis, int) for axis in axes):
            a, b = axes
            what = f"transpose: a method of {self.type}, as of an mx.array, takes all {len(self.shape)} axes"
            raise located(ShapeError(what, f"write x.swapaxes({a}, {b}), or bg.transpose(x, {a}, {b}), which is torch's"))
        return movement.transpose(self, _one_sequence(axes) if axes else None)

    def reshape(self, *shape: Any) -> Any:
        """bg.reshape, the dims given singly or as one sequence."""
        return movement.reshape(self, _one_sequence(shape))

    def var(self, axis: Any = None, keepdims: bool = False, ddof: float = 0) -> Any:
        return reduce.var(self, axis, keepdims, correction=ddof)

    def std(self, axis: Any = None, keepdims: bool = False, ddof: float = 0) -> Any:
        return reduce.std(self, axis, keepdims, correction=ddof)

    def astype(self, dtype: Any) -> Any:
        """bg.astype."""
        return movement.astype(self, dtype)

    @property
    def real(self) -> Any:
        """bg.real; of a real array itself."""
        return fourier.real(self)

    @property
    def imag(self) -> Any:
        """bg.imag; of a real array zeros."""
        return fourier.imag(self)

    @property
    def itemsize(self) -> int:
        """Bytes of an entry."""
        return self.type.dtype.bytes

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        return rearrange.diagonal(self, offset=offset, axis1=axis1, axis2=axis2)

    def diag(self, k: int = 0) -> Any:
        return rearrange.diag(self, k)

    conj = _method(fourier.conj)
    flatten = _method(movement.flatten)
    squeeze = _method(movement.squeeze)
    swapaxes = _method(movement.swapaxes)
    moveaxis = _method(movement.moveaxis)

    def split(self, indices_or_sections: Any, axis: int = 0) -> list[Any]:
        """As mx.array's: equal parts, or cut at positions; bg.split is torch's.

        Raises   ShapeError   the axis does not divide
        """
        parts = splitting.tensor_split(self, indices_or_sections, axis)
        if isinstance(indices_or_sections, splitting.Integer) and len({part.shape for part in parts}) > 1:
            raise located(ShapeError(f"split: axis {axis} of {self.type} does not divide into {len(parts)} equal parts"))
        return parts

    sum = _method(reduce.sum)
    prod = _method(reduce.prod)
    mean = _method(reduce.mean)
    max = _method(reduce.max)
    min = _method(reduce.min)
    argmax = _method(reduce.argmax)
    argmin = _method(reduce.argmin)
    all = _method(reduce.all)
    any = _method(reduce.any)
    logsumexp = _method(reduce.logsumexp)
    cumsum = _method(cumulative.cumulative_sum)
    cumprod = _method(cumulative.cumulative_prod)
    logcumsumexp = _method(cumulative.logcumsumexp)

    def cummax(self, axis: int | None = None, *, reverse: bool = False) -> Any:
        """The values of bg.cummax, which has positions too."""
        return cumulative.cummax(self, axis, reverse)[0]

    def cummin(self, axis: int | None = None, *, reverse: bool = False) -> Any:
        """The values of bg.cummin, which has positions too."""
        return cumulative.cummin(self, axis, reverse)[0]

    abs = _method(elementwise.abs)
    square = _method(elementwise.square)
    sqrt = _method(elementwise.sqrt)
    rsqrt = _method(elementwise.rsqrt)
    reciprocal = _method(elementwise.reciprocal)
    exp = _method(elementwise.exp)
    log = _method(elementwise.log)
    log1p = _method(elementwise.log1p)
    log2 = _method(special.log2)
    log10 = _method(special.log10)
    sin = _method(elementwise.sin)
    cos = _method(elementwise.cos)
    round = _method(elementwise.round)
    maximum = _method(elementwise.maximum)
    minimum = _method(elementwise.minimum)


def _one_sequence(given: tuple[Any, ...]) -> Any:
    return given[0] if len(given) == 1 and not isinstance(given[0], int) else given


install_tracer_class(Tracer)
