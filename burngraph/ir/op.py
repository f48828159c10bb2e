"""What an operation is: one frozen class that carries every aspect of its meaning except the lowering to a device.

Aspects, each a law in tests/test_laws.py:

    infer(*types)                            result types from operand types
    reference(*arrays)                       what it computes, in NumPy
    linearize / linear_in + transpose        its derivative (or linearize_nested / transpose_nested, with nested graphs)
    permuted(types, index, perm)             the same op on permuted operands
    batched(emit, operands, is_batched)      the same op on a stack of operands
    cost(*types)                             flops and bytes
    decompose(emit, *operands)               for composites: the same meaning in smaller ops

`register` refuses a class that leaves one out. "No" is said with `Refuses(reason)`, and the reason reaches the user.
"""

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, TypeVar

from burngraph.errors import InputError, RefusedError, RegistrationError, ShapeError
from burngraph.ir.permutation import Perm
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value

if TYPE_CHECKING:
    from burngraph.ir.graph import Graph


class Cost(NamedTuple):
    """What one execution takes if nothing is fused: arithmetic, and bytes moved to and from memory."""

    flops: int
    read_bytes: int
    write_bytes: int

    def __add__(self, other: object) -> "Cost":
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))


FREE = Cost(0, 0, 0)


class Permuted(NamedTuple):
    """`op` on permute(x_i, operands[i]) gives permute(y_k, results[k]).

    None for an absent optional operand, and for one that is only waited for.
    """

    op: "Op"
    operands: tuple[Perm | None, ...]
    results: tuple[Perm, ...]


class Linearized(NamedTuple):
    """What `linearize_nested` may give instead of tangents: the op's results computed another way, and their tangents.

    For an op whose derivative needs values from inside it: `results` stand for the op's own from here on, the op itself is
    not evaluated, so the rule must not read its results.
    """

    results: "tuple[Value, ...]"
    tangents: "tuple[Tangent, ...]"


class IndexOperand(NamedTuple):
    """An operand whose entries say where an op reads or writes, and what they may be.

    operand     its position among the op's operands
    axes        the axes of the indexed array that its entries count along
    lows        the least entry in range, per axis
    highs       the greatest, per axis
    by_column   its last axis has one entry per axis of `axes`; else all its entries count along the one axis
    """

    operand: int
    axes: tuple[int, ...]
    lows: tuple[int, ...]
    highs: tuple[int, ...]
    by_column: bool = False


class Refuses:
    """An aspect that an op does not have, and why. `linearize = Refuses("...")` in the class body."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __set_name__(self, owner: type, name: str) -> None:
        self.aspect = name

    def __get__(self, op: "Op | None", owner: type) -> Any:
        if op is None:
            return self

        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise RefusedError(f"{op.name}: no {self.aspect}", f"reason: {self.reason}")

        return refuse


Tangent = Value | None  # None is a zero tangent, which costs nothing


class Op:
    """An operation: a frozen dataclass whose fields are its static attributes.

    name             text name; the class name in snake case
    operands         names in order; "b?" may be absent (None), "xs*" (last) takes any number
    results          names in order
    linear_in        groups of operands it is linear in jointly: add (("x","y"),), mul (("x",),("y",))
    constant_in      inexact operands whose derivative is zero almost everywhere and is taken as zero
    locally_constant the whole op has derivative zero almost everywhere (floor, comparisons, argmax)
    order_only       operands that are waited for and not read
    is_remark        the result is the first operand; only checks of indices look at the op, and it is dropped after them

    An op with nested graphs may need to differentiate them, which takes the walks of `passes`. They are handed to it:

    linearize_nested(emit, linearize, *values)
        as `linearize`, and preferred to it; `linearize(graph, wrt)` is passes/linearize.py's. Gives tangents or a Linearized
    transpose_nested(emit, transpose, into, result_bars, operands)
        as `transpose`, and preferred to it, but for all operands `into` at once: a tuple of bars, one for each (None for
        zero). `result_bars` is a tuple with None for zero, `transpose(graph, linear_params, linear_results)` is
        passes/transpose.py's
    linear_positions(n_operands)
        the groups of `linear_in` as operand positions, for an op whose attributes say which operands they are
    """

    name: ClassVar[str]
    operands: ClassVar[tuple[str, ...]]
    results: ClassVar[tuple[str, ...]] = ("out",)
    linear_in: ClassVar[tuple[tuple[str, ...], ...]] = ()
    constant_in: ClassVar[tuple[str, ...]] = ()
    locally_constant: ClassVar[bool] = False
    order_only: ClassVar[tuple[str, ...]] = ()
    is_remark: ClassVar[bool] = False

    # Aspects are looked up on the class; Op states only their signatures. `_missing` is how `register` knows.
    infer: Any
    reference: Any
    permuted: Any
    batched: Any
    cost: Any
    transpose: Any
    decompose: Any
    linearize_nested: Any
    transpose_nested: Any

    def linearize(self, emit: Emit, *values: Any) -> Any:
        """Tangents of the results, from operands, results and operand tangents, in that order.

        This default serves ops with `linear_in` (put tangents in the linear operands and add over the groups) and
        `locally_constant` ones.
        """
        if self.locally_constant:
            return (None,) * len(self.results) if len(self.results) > 1 else None
        return linearize_by_linearity(self, emit, values)

    def linear_positions(self, n_operands: int) -> list[tuple[int, ...]]:
        """Groups of operand positions that the op is linear in jointly."""
        return linear_groups(self, n_operands)

    def index_operands(self, *types: Any) -> tuple[IndexOperand, ...]:
        """The operands that hold indices. Every op that reads or writes where an operand says names it here."""
        return ()

    def graphs(self) -> "tuple[Graph, ...]":
        """The nested graphs among the attributes."""
        return ()

    def with_graphs(self, graphs: "Sequence[Graph]") -> "Op":
        """The same op with its nested graphs replaced, in the order of `graphs()`."""
        return self

    def operand_index(self, name: str) -> int:
        return operand_names(type(self)).index(name)

    def _key(self) -> tuple[Any, ...]:
        try:
            return self.__dict__["_cached_key"]  # type: ignore[no-any-return]
        except KeyError:
            key = tuple(_distinct(getattr(self, field)) for field in attribute_names(type(self)))
            object.__setattr__(self, "_cached_key", key)
            return key

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return type(self) is type(other) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.name, self._key()))


def _distinct(attribute: Any) -> Any:
    """`attribute` so that equal keys mean equal values: 0.0, -0.0, 0 and False all differ, and nan equals nan."""
    if isinstance(attribute, tuple):
        return tuple(_distinct(item) for item in attribute)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(attribute, float):
        return "nan" if math.isnan(attribute) else attribute.hex()
    if isinstance(attribute, complex):
        return ("complex", _distinct(attribute.real), _distinct(attribute.imag))
    return str(attribute) if isinstance(attribute, bool) else attribute


def linearize_by_linearity(op: Op, emit: Emit, values: Sequence[Any]) -> Any:
    """Sum over the groups of `linear_in` of the op applied to that group's tangents.

    An operand of a group whose tangent is zero while another's is not gets explicit zeros.
    """
    n_results = len(op.results)
    n = (len(values) - n_results) // 2
    primals, tangents = values[:n], values[n + n_results :]
    total: tuple[Value, ...] | None = None
    for group in op.linear_positions(n):
        if all(tangents[i] is None for i in group):
            continue
        operands = list(primals)
        for i in group:
            operands[i] = tangents[i] if tangents[i] is not None else zeros(emit, primals[i].type)
        term = emit.several(op, *operands)
        total = term if total is None else tuple(add_values(emit, a, b) for a, b in zip(total, term, strict=True))
    if total is None:
        return (None,) * n_results if n_results > 1 else None
    return total if n_results > 1 else total[0]


# The two ops that linearity itself needs, looked up by name because their modules import this one.


def add_values(emit: Emit, x: Value, y: Value) -> Value:
    return emit(OPS["add"](), x, y)


def zeros(emit: Emit, type: TensorType) -> Value:
    splat: Any = OPS["splat"]
    return emit(splat(0, type))


def linear_groups(op: Op, n_operands: int) -> list[tuple[int, ...]]:
    """`linear_in` as operand positions; a variadic name stands for all of its operands."""
    names = operand_names(type(op), n_operands)
    return [tuple(i for i, name in enumerate(names) if name in group) for group in op.linear_in]


def positions_read(op: Op, n_operands: int) -> Sequence[int]:
    """The operand positions whose values matter."""
    if not op.order_only:
        return range(n_operands)
    names = operand_names(type(op), n_operands)
    return [i for i, name in enumerate(names) if name not in op.order_only]


def operand_names(op_class: type[Op], n_operands: int | None = None) -> tuple[str, ...]:
    """Operand names without their marks; a variadic one is repeated until there are `n_operands`."""
    names = [spec.rstrip("?*") for spec in op_class.operands]
    if n_operands is not None and op_class.operands and op_class.operands[-1].endswith("*"):
        names[-1:] = [names[-1]] * (n_operands - len(names) + 1)
    return tuple(names)


_ATTRIBUTES: dict[type[Op], tuple[str, ...]] = {}


def attribute_names(op_class: type[Op]) -> tuple[str, ...]:
    """The static attributes that take part in equality and text, in declaration order."""
    found = _ATTRIBUTES.get(op_class)
    if found is None:
        found = tuple(f.name for f in dataclasses.fields(op_class) if f.compare)  # type: ignore[arg-type]
        _ATTRIBUTES[op_class] = found
    return found


def check_operand_count(op: Op, operands: Sequence[object | None]) -> None:
    """Raise ShapeError unless `operands` fit the op's signature: required ones present, none too many.

    Raises   InputError   `op` is no op, but its class or a function
    """
    if not isinstance(op, Op):
        raise _no_op(op)
    specs = op.operands
    variadic = bool(specs) and specs[-1].endswith("*")
    if len(operands) < len(specs) - variadic or (len(operands) > len(specs) and not variadic):
        raise ShapeError(f"{op.name}: takes operands ({', '.join(specs)}), got {len(operands)}")
    for i, operand in enumerate(operands):
        if operand is None and not specs[min(i, len(specs) - 1)].endswith("?"):
            raise ShapeError(f"{op.name}: operand {specs[i]} is missing")


def _no_op(given: Any) -> InputError:
    name = getattr(given, "__name__", type(given).__name__)
    if isinstance(given, type) and issubclass(given, Op):
        return InputError(f"{name} is the class of an op, not an op", f"make one: {name}(...), with its attributes if any")
    way_out = "an op is an instance of a class under @bg.register" + ("; call the function itself" if callable(given) else "")
    return InputError(f"{name} is not an op", way_out)


OPS: dict[str, type[Op]] = {}
_ASPECTS = ("infer", "reference", "permuted", "batched", "cost")
O = TypeVar("O", bound=type[Op])


def snake_case(class_name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).lower()


def register(op_class: O) -> O:
    """Enter an op class into OPS, or refuse it with the list of what it does not say."""
    name = op_class.__dict__.get("name")
    if name != snake_case(op_class.__name__):
        raise RegistrationError(f"class {op_class.__name__} must have name = {snake_case(op_class.__name__)!r}, not {name!r}")
    if name in OPS:
        raise RegistrationError(f"op {name!r} is registered already, by {OPS[name].__module__}.{OPS[name].__name__}")
    params = getattr(op_class, "__dataclass_params__", None)
    if "__dataclass_fields__" not in op_class.__dict__ or params is None or not params.frozen or params.eq:
        raise RegistrationError(f"op {name!r}: decorate class {op_class.__name__} with @dataclass(frozen=True, eq=False)")
    missing = [aspect for aspect in _ASPECTS if not hasattr(op_class, aspect)]
    if not (op_class.__doc__ or "").strip() or (op_class.__doc__ or "").startswith(f"{op_class.__name__}("):
        missing.append("__doc__")
    if not hasattr(op_class, "operands"):
        missing.append("operands")
    if not _says_derivative(op_class):
        missing.append("linearize")
    if missing:
        raise RegistrationError(
            f"op {name!r} does not say: {', '.join(missing)}",
            f'define it on class {op_class.__name__}, or write `{missing[0]} = Refuses("why")`',
        )
    OPS[name] = op_class
    return op_class


def _says_derivative(op_class: type[Op]) -> bool:
    if hasattr(op_class, "linearize_nested"):
        return True
    if op_class.linear_in or op_class.linear_positions is not Op.linear_positions:
        return hasattr(op_class, "transpose") or hasattr(op_class, "transpose_nested")
    if hasattr(op_class, "decompose"):
        return True  # a composite without a rule of its own is differentiated through its decomposition
    return op_class.locally_constant or op_class.linearize is not Op.linearize
