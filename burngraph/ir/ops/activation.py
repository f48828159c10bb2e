"""Activations made of several elementwise steps."""

import math
from dataclasses import dataclass

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Permuted, Tangent, register
from burngraph.ir.ops.elementwise import Add, Erf, Exp, Mul, Square, Sub, Tanh, scaled, splat_like
from burngraph.ir.ops.precision import WideComposite
from burngraph.ir.permutation import Perm
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value

CUBIC = 0.044715  # of the tanh form
SLOPE = math.sqrt(2 / math.pi)


@register
@dataclass(frozen=True, eq=False)
class Gelu(WideComposite):
    """x times the standard normal distribution function at x.

    x            T[*S]   any float dtype T
    approximate  "none": with erf;  "tanh": 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    returns      the type of x

    Raises   ShapeError   `approximate` is another word;   DTypeError   x is not float
    """

    name = "gelu"
    operands = ("x",)
    approximate: str

    def infer(self, x: TensorType) -> TensorType:
        if self.approximate not in ("none", "tanh"):
            raise ShapeError(f"gelu: approximate = {self.approximate!r}", 'use "none" or "tanh"')
        if x.dtype.kind != "float":
            raise DTypeError(f"gelu: x is {x}, takes only float", "cast it first")
        return x

    def decompose(self, emit: Emit, x: Value) -> Value:
        return emit(Mul(), x, self._distribution(emit, x))

    def _distribution(self, emit: Emit, x: Value) -> Value:
        """(1 + s) / 2, where s is erf(x / sqrt 2) or its tanh form."""
        s = emit(Erf(), scaled(emit, math.sqrt(0.5), x)) if self.approximate == "none" else self._tanh(emit, x)
        return scaled(emit, 0.5, emit(Add(), splat_like(emit, 1.0, x), s))

    def _tanh(self, emit: Emit, x: Value) -> Value:
        inner = emit(Add(), splat_like(emit, 1.0, x), scaled(emit, CUBIC, emit(Square(), x)))
        return emit(Tanh(), emit(Mul(), scaled(emit, SLOPE, x), inner))

    def _density(self, emit: Emit, x: Value) -> Value:
        """The derivative of `_distribution`."""
        square = emit(Square(), x)
        if self.approximate == "none":
            return scaled(emit, 1 / math.sqrt(2 * math.pi), emit(Exp(), scaled(emit, -0.5, square)))
        one = splat_like(emit, 1.0, x)
        slope = scaled(emit, 0.5 * SLOPE, emit(Add(), one, scaled(emit, 3 * CUBIC, square)))
        return emit(Mul(), slope, emit(Sub(), one, emit(Square(), self._tanh(emit, x))))

    def linearize(self, emit: Emit, x: Value, y: Value, x_dot: Tangent) -> Tangent:
        if x_dot is None:
            return None
        slope = emit(Add(), self._distribution(emit, x), emit(Mul(), x, self._density(emit, x)))
        return emit(Mul(), slope, x_dot)

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        return Permuted(self, (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self, *operands)

    def cost(self, *types: TensorType | None) -> Cost:
        (x,) = types
        assert x is not None, "x is never absent"
        return Cost(12 * x.size, x.bytes, x.bytes)
