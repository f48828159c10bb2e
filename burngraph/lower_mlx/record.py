"""A stand-in for mlx.core that writes down, as Python source, what a lowering rule does."""

import keyword
from collections.abc import Sequence
from typing import Any

import mlx.core

BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "and": "&", "or": "|",
    "xor": "^", "lshift": "<<", "rshift": ">>", "matmul": "@",
}  # fmt: skip
COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


class Recorded:
    """A piece of source: text and other pieces. `shape` and `dtype` are known for a rule's operands only.

    call     the MLX function that it calls, if any, and the dtypes of the arrays given to it as far as they are known
    holds    the dtype of an array that is no operand, as far as it is known; rules see those of operands only
    """

    __hash__ = object.__hash__

    def __init__(
        self, parts: tuple[Any, ...], is_atom: bool = True, shape: Any = None, dtype: Any = None, bounds: Any = None,
        call: tuple[str, tuple[Any, ...]] | None = None, holds: Any = None,
    ) -> None:  # fmt: skip
        self.parts = parts
        self.call = call
        self.holds = dtype if holds is None else holds
        self.bounds = bounds  # of an operand's entries, if they are integers
        self.is_atom = is_atom
        self._shape = shape
        self._dtype = dtype

    @property
    def shape(self) -> tuple[int, ...]:
        assert self._shape is not None, "only operands know their shape; take it from the op"
        return self._shape

    @property
    def dtype(self) -> Any:
        assert self._dtype is not None, "only operands know their dtype; take it from the op"
        return self._dtype

    @property
    def at(self) -> "_At":
        return _At(self)

    @property
    def T(self) -> "Recorded":
        return Recorded((_grouped(self), ".T"), holds=self.holds)

    def __getitem__(self, index: Any) -> "Recorded":
        return Recorded((_grouped(self), "[", *_index(index), "]"), holds=self.holds)

    def __neg__(self) -> "Recorded":
        return Recorded(("-", _grouped(self)), is_atom=False)

    def __invert__(self) -> "Recorded":
        return Recorded(("~", _grouped(self)), is_atom=False)

    def astype(self, dtype: Any) -> "Recorded":
        return _method(self, "astype", (dtype,), {})

    def reshape(self, shape: Any) -> "Recorded":
        return _method(self, "reshape", (shape,), {})

    def view(self, dtype: Any) -> "Recorded":
        return _method(self, "view", (dtype,), {})

    def transpose(self, axes: Any) -> "Recorded":
        return _method(self, "transpose", (axes,), {})


def _operator(symbol: str, is_reflected: bool) -> Any:
    def apply(self: Recorded, other: Any) -> Recorded:
        left, right = (other, self) if is_reflected else (self, other)
        return Recorded((*_operand(left), f" {symbol} ", *_operand(right)), is_atom=False)

    return apply


for _name, _symbol in BINARY.items():
    setattr(Recorded, f"__{_name}__", _operator(_symbol, is_reflected=False))
    setattr(Recorded, f"__r{_name}__", _operator(_symbol, is_reflected=True))
for _name, _symbol in COMPARISONS.items():
    setattr(Recorded, f"__{_name}__", _operator(_symbol, is_reflected=False))


class _Grouped:
    """A piece to be put in parentheses unless it is an atom."""

    def __init__(self, piece: Recorded) -> None:
        self.piece = piece


class _At:
    """x.at[index].add(values) and its like."""

    def __init__(self, x: Recorded, index: tuple[Any, ...] = ()) -> None:
        self.x, self.index = x, index

    def __getitem__(self, index: Any) -> "_At":
        return _At(self.x, _index(index))

    def add(self, values: Any) -> Recorded:
        return self._apply("add", values)

    def multiply(self, values: Any) -> Recorded:
        return self._apply("multiply", values)

    def minimum(self, values: Any) -> Recorded:
        return self._apply("minimum", values)

    def maximum(self, values: Any) -> Recorded:
        return self._apply("maximum", values)

    def _apply(self, method: str, values: Any) -> Recorded:
        parts = (_grouped(self.x), ".at[", *self.index, f"].{method}(", *_argument(values), ")")
        is_scatter = any(isinstance(part, Recorded) for part in self.index)  # slices alone are no scatter
        call = (f"at.{method}", _known([self.x.holds])) if is_scatter else None
        return Recorded(parts, call=call, holds=self.x.holds)


class RecordingMx:
    """The namespace a rule sees while recording: each function call is a piece of source."""

    def __init__(self, prefix: str = "mx") -> None:
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._prefix == "mx" and name in ("fast", "fft", "linalg", "random"):
            return RecordingMx(f"mx.{name}")
        if self._prefix == "mx":
            found = getattr(mlx.core, name)  # a name that MLX has not is an error here, not when the source runs
            if isinstance(found, mlx.core.Dtype):
                return found

        def call(*arguments: Any, **named: Any) -> Recorded:
            function = f"{self._prefix}.{name}"
            held = [x.holds for x in (*arguments, *named.values()) if isinstance(x, Recorded)]
            made = named.get("dtype", held[0] if name in KEEP_DTYPE and held else None)
            known = _known([*held, named.get("dtype")])
            parts = (f"{function}(", *_arguments(arguments, named), ")")
            return Recorded(parts, call=(function.removeprefix("mx."), known), holds=made)

        return call


KEEP_DTYPE = ("transpose", "reshape", "expand_dims", "broadcast_to", "contiguous", "pad", "swapaxes")


def _known(dtypes: list[Any]) -> tuple[Any, ...]:
    return tuple(dtype for dtype in dtypes if dtype is not None)


def calls(pieces: Sequence[Recorded]) -> list[tuple[str, tuple[Any, ...]]]:
    """The MLX functions that `pieces` call, in some order, and what is known of the dtypes of their arrays."""
    found: list[tuple[str, tuple[Any, ...]]] = []
    seen: set[Recorded] = set()
    pending = list(pieces)
    while pending:
        piece = pending.pop()
        if piece in seen:
            continue
        seen.add(piece)
        if piece.call is not None:
            found.append(piece.call)
        for part in piece.parts:
            if not isinstance(part, str):
                pending.append(part.piece if isinstance(part, _Grouped) else part)
    return found


def operand(name: str, shape: tuple[int, ...], dtype: Any, bounds: tuple[int, int] | None = None) -> Recorded:
    """A variable of the emitted function. bounds: the least and greatest entry it can have, if it holds integers."""
    return Recorded((name,), shape=shape, dtype=dtype, bounds=bounds)


def _grouped(piece: Recorded) -> _Grouped:
    return _Grouped(piece)


def _method(x: Recorded, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Recorded:
    holds = arguments[0] if name in ("astype", "view") else x.holds
    return Recorded((_Grouped(x), f".{name}(", *_arguments(arguments, named), ")"), holds=holds)


def _operand(value: Any) -> tuple[Any, ...]:
    return (_Grouped(value),) if isinstance(value, Recorded) else (literal(value),)


def _arguments(arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    parts: list[Any] = []
    for value in arguments:
        parts += [", ", *_argument(value)]
    for name, value in named.items():
        parts += [f", {name}=", *_argument(value)]
    if parts:
        parts[0] = parts[0].removeprefix(", ")
    return tuple(parts)


def _argument(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Recorded):
        return (value,)
    if isinstance(value, list | tuple) and any(isinstance(item, Recorded) for item in value):
        return ("[", *_arguments(tuple(value), {}), "]")
    return (literal(value),)


def _index(index: Any) -> tuple[Any, ...]:
    items = index if isinstance(index, tuple) else (index,)
    parts: list[Any] = []
    for item in items:
        parts += [", ", *(_argument(item) if not isinstance(item, slice) else (_slice(item),))]
    return tuple(parts[1:])


def _slice(s: slice) -> str:
    start, stop = ("" if bound is None else literal(bound) for bound in (s.start, s.stop))
    return f"{start}:{stop}" + ("" if s.step in (None, 1) else f":{literal(s.step)}")


def literal(value: Any) -> str:
    """Source of a static argument. Everything else is refused, so that no text of the user's becomes code."""
    if value is None or value is Ellipsis:
        return "None" if value is None else "..."
    if isinstance(value, mlx.core.Dtype):
        name = str(value).rpartition(".")[2]
        return "mx.bool_" if name == "bool" else f"mx.{name}"
    if isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        text = repr(float(value))
        return text if text[-1].isdigit() else f'float("{text}")'
    if isinstance(value, complex):
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, tuple | list):
        inside = ", ".join(literal(item) for item in value)
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    raise TypeError(f"a lowering rule passed {type(value).__name__}, which has no literal")


def is_plain_name(name: str | None) -> bool:
    """Whether a user's value name can be a variable of the emitted source."""
    if name is None or not name.isidentifier() or not name.isascii() or keyword.iskeyword(name) or len(name) > 40:
        return False
    return name not in RESERVED and not (name[0] in "vt" and name[1:].isdigit()) and not name.startswith("_")


RESERVED = {"mx", "inputs", "prepared", "weights", "float", "complex", "range", "reversed"}


def statements(targets: list[str], pieces: list[Recorded], temporaries: list[str]) -> list[str]:
    """Assignments of `pieces` to `targets`; a piece read more than once gets a name, added to `temporaries`."""
    reads: dict[Recorded, int] = {}
    order: list[Recorded] = []

    def visit(piece: Recorded) -> None:
        reads[piece] = reads.get(piece, 0) + 1
        if reads[piece] > 1:
            return
        for part in piece.parts:
            if not isinstance(part, str):
                visit(part.piece if isinstance(part, _Grouped) else part)
        order.append(piece)

    for piece in pieces:
        visit(piece)
    text: dict[Recorded, str] = {}
    lines: list[str] = []
    for piece in order:
        source = "".join(_show(part, text) for part in piece.parts)
        is_variable = len(piece.parts) == 1
        if reads[piece] > 1 and not is_variable:
            name = f"t{len(temporaries)}"
            temporaries.append(name)
            lines.append(f"{name} = {source}")
            source = name
        text[piece] = source
    lines += [f"{t} = {text[p]}" for t, p in zip(targets, pieces, strict=True)]
    return lines


def _show(part: Any, text: dict[Recorded, str]) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, _Grouped):
        shown = text[part.piece]
        return shown if part.piece.is_atom or shown.isidentifier() else f"({shown})"
    return text[part]
