"""Normalisation over axes of one example (layer norm) or over everything but the channels (batch norm)."""

from dataclasses import dataclass
from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.op import Cost, Permuted, Tangent, register
from burngraph.ir.ops.broadcast import Broadcast, Sum, add_leading_axis, extended, renumbered, without
from burngraph.ir.ops.elementwise import Add, Mul, Neg, Rsqrt, Square, Sub, scaled, splat_like
from burngraph.ir.ops.movement import Permute, Reshape
from burngraph.ir.ops.precision import WideComposite
from burngraph.ir.permutation import Perm, identity, inverse, restrict
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value

Axes = tuple[int, ...]


def mean_over(emit: Emit, x: Value, axes: Axes) -> Value:
    """The mean of x over `axes`, which disappear."""
    total = emit(Sum(axes), x)
    return scaled(emit, total.type.size / max(x.type.size, 1), total)


def minus_mean_over(emit: Emit, x: Value, axes: Axes) -> Value:
    """The sign goes into the factor, which costs nothing; a difference of full arrays would have one in its transpose."""
    total = emit(Sum(axes), x)
    return scaled(emit, -total.type.size / max(x.type.size, 1), total)


def spread(emit: Emit, small: Value, like: Value, axes: Axes) -> Value:
    """`small`, whose axes are those of `like` without `axes`, repeated along `axes`."""
    return emit(Broadcast(like.shape, axes), small)


def centred(emit: Emit, x: Value, axes: Axes) -> Value:
    return emit(Sub(), x, spread(emit, mean_over(emit, x, axes), x, axes))


def rsqrt_of(emit: Emit, var: Value, eps: float) -> Value:
    return emit(Rsqrt(), emit(Add(), var, splat_like(emit, eps, var)))


def total(emit: Emit, *terms: Tangent) -> Tangent:
    """The sum of the terms that are not zero; None if all are."""
    result: Tangent = None
    for term in terms:
        if term is not None:
            result = term if result is None else emit(Add(), result, term)
    return result


def normalised_tangent(emit: Emit, xhat: Value, rstd: Value, x_dot: Value, axes: Axes) -> Value:
    """Tangent of xhat = (x - mean) * rstd: that is rstd * (centred x_dot - xhat * mean(xhat * x_dot))."""
    level = emit(Add(), x_dot, spread(emit, minus_mean_over(emit, x_dot, axes), x_dot, axes))
    tilt = spread(emit, minus_mean_over(emit, emit(Mul(), xhat, x_dot), axes), xhat, axes)
    return emit(Mul(), spread(emit, rstd, xhat, axes), emit(Add(), level, emit(Mul(), xhat, tilt)))


def check_float(name: str, operands: dict[str, TensorType | None], shape: tuple[int, ...]) -> None:
    """x must be float, and every other operand of its dtype and of `shape`; an absent one passes."""
    x = operands["x"]
    assert x is not None, "check_operand_count saw to it"
    if x.dtype.kind != "float":
        raise DTypeError(f"{name}: x is {x}, takes only float", "cast it first")
    for operand, type in operands.items():
        if operand != "x" and type is not None and type != x.with_shape(shape):
            error = DTypeError if type.dtype is not x.dtype else ShapeError
            raise error(f"{name}: {operand} must be {x.with_shape(shape)}, is {type}", f"x: {x}")


@register
@dataclass(frozen=True, eq=False)
class LayerNorm(WideComposite):
    """(x - mean) / sqrt(var + eps) * weight + bias, mean and biased variance over `axes`.

    x        T[d0, ..., dk]   any float dtype T
    weight   T[d_i : i in axes], or absent
    bias     likewise
    returns  the type of x

    axes     ascending, at least one
    eps      added to the variance
    Raises   ShapeError   bad axes, or weight or bias has another shape;   DTypeError   not one float dtype
    """

    name = "layer_norm"
    operands = ("x", "weight?", "bias?")
    axes: Axes
    eps: float

    def infer(self, x: TensorType, weight: TensorType | None = None, bias: TensorType | None = None) -> TensorType:
        if not self.axes or list(self.axes) != sorted(set(self.axes) & set(range(x.rank))):
            raise ShapeError(f"layer_norm: axes = {self.axes} must be ascending axes of x", f"x: {x}")
        shape = tuple(x.shape[axis] for axis in self.axes)
        check_float(self.name, {"x": x, "weight": weight, "bias": bias}, shape)
        return x

    def _normalised(self, emit: Emit, x: Value) -> tuple[Value, Value]:
        """xhat and 1 / sqrt(var + eps). The variance is of the centred x: no cancellation where the mean is large."""
        c = centred(emit, x, self.axes)
        rstd = rsqrt_of(emit, mean_over(emit, emit(Square(), c), self.axes), self.eps)
        return emit(Mul(), c, spread(emit, rstd, x, self.axes)), rstd

    def _over_examples(self, emit: Emit, small: Value, like: Value) -> Value:
        return spread(emit, small, like, without(self.axes, like.type.rank))

    def decompose(self, emit: Emit, x: Value, weight: Value | None = None, bias: Value | None = None) -> Value:
        y, _ = self._normalised(emit, x)
        if weight is not None:
            y = emit(Mul(), y, self._over_examples(emit, weight, x))
        return y if bias is None else emit(Add(), y, self._over_examples(emit, bias, x))

    def linearize(
        self, emit: Emit, x: Value, weight: Value | None, bias: Value | None, out: Value,
        x_dot: Tangent, weight_dot: Tangent, bias_dot: Tangent,
    ) -> Tangent:  # fmt: skip
        through_x = through_weight = through_bias = None
        if x_dot is not None or weight_dot is not None:
            xhat, rstd = self._normalised(emit, x)
            if weight_dot is not None:
                through_weight = emit(Mul(), xhat, self._over_examples(emit, weight_dot, x))
            if x_dot is not None:
                through_x = normalised_tangent(emit, xhat, rstd, x_dot, self.axes)
                if weight is not None:
                    through_x = emit(Mul(), through_x, self._over_examples(emit, weight, x))
        if bias_dot is not None:
            through_bias = self._over_examples(emit, bias_dot, x)
        return total(emit, through_x, through_weight, through_bias)

    def permuted(self, operand_types: tuple[TensorType | None, ...], index: int, perm: Perm) -> Permuted:
        x = operand_types[0]
        assert x is not None, "x is never absent"
        of_x = extended(perm, self.axes, x.rank) if index > 0 else perm
        small = restrict(of_x, self.axes)
        of_small = tuple(None if t is None else small for t in operand_types[1:])
        return Permuted(LayerNorm(renumbered(self.axes, of_x), self.eps), (of_x, *of_small), (of_x,))

    def batched(self, emit: Emit, operands: tuple[Value | None, ...], is_batched: tuple[bool, ...]) -> Any:
        if any(is_batched[1:]):  # the op cannot tell a batch axis of weight from one to normalise
            return super().batched(emit, operands, is_batched)
        return emit(LayerNorm(tuple(axis + 1 for axis in self.axes), self.eps), *operands)

    def cost(self, *types: TensorType | None) -> Cost:
        return norm_cost(types)


class OverChannels(WideComposite):
    """What the two batch norms share: `axis` is the channel axis of x; other operands have one entry per channel."""

    axis: int
    eps: float

    def check_channels(self, **operands: TensorType) -> TensorType:
        x = operands["x"]
        if not 0 <= self.axis < x.rank:
            raise ShapeError(f"{self.name}: x is {x}, which has no axis {self.axis}")
        check_float(self.name, dict(operands), (x.shape[self.axis],))
        return x

    def per_channel(self, emit: Emit, small: Value, like: Value) -> Value:
        """One entry per channel, repeated to the shape of `like`."""
        return spread(emit, small, like, without((self.axis,), like.type.rank))

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        x = operand_types[0]
        of_x = perm if len(perm) == x.rank and index in (0, -1) else identity(x.rank)
        op = type(self)(inverse(of_x)[self.axis], self.eps)  # type: ignore[call-arg]
        smalls = ((0,),) * (len(self.operands) - 1)
        return Permuted(op, (of_x, *smalls), (of_x, *((0,),) * (len(self.results) - 1)))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Any:
        """The batch becomes more channels: x[B, .., C, ..] is read as x[.., B * C, ..], all else as [B * C]."""
        x, *smalls = add_leading_axis(emit, operands, is_batched)
        assert x is not None, "x is never absent"
        count, channels = x.shape[0], x.shape[self.axis + 1]
        rank = x.type.rank
        beside = (*range(1, self.axis + 1), 0, *range(self.axis + 1, rank))
        placed = emit(Permute(beside), x)
        merged = emit(Reshape((*placed.shape[: self.axis], count * channels, *placed.shape[self.axis + 2 :])), placed)
        flat = [emit(Reshape((count * channels,)), small) for small in smalls]
        y, *stats = emit.several(self, merged, *flat)
        out = emit(Permute(inverse(beside)), emit(Reshape(placed.shape), y))
        return (out, *(emit(Reshape((count, channels)), v) for v in stats)) if stats else out

    def cost(self, *types: TensorType | None) -> Cost:
        return norm_cost(types)


@register
@dataclass(frozen=True, eq=False)
class BatchNorm(OverChannels):
    """Batch norm while training: x normalised per channel by its own mean and biased variance, which are results too.

    x        T[..., C, ...]   any float dtype T; C at `axis`
    weight   T[C]             scale
    bias     T[C]             shift
    returns  out: the type of x;  mean: T[C];  var: T[C], divided by the number of entries

    eps      added to the variance
    Raises   ShapeError   no such axis, or weight or bias is not [C];   DTypeError   not one float dtype
    """

    name = "batch_norm"
    operands = ("x", "weight", "bias")
    results = ("out", "mean", "var")
    axis: int
    eps: float

    def infer(self, x: TensorType, weight: TensorType, bias: TensorType) -> tuple[TensorType, TensorType, TensorType]:
        self.check_channels(x=x, weight=weight, bias=bias)
        return x, weight, weight

    def decompose(self, emit: Emit, x: Value, weight: Value, bias: Value) -> tuple[Value, Value, Value]:
        axes = without((self.axis,), x.type.rank)
        mean = mean_over(emit, x, axes)
        c = emit(Sub(), x, self.per_channel(emit, mean, x))
        var = mean_over(emit, emit(Square(), c), axes)
        scale = emit(Mul(), weight, rsqrt_of(emit, var, self.eps))
        scaled_c = emit(Mul(), c, self.per_channel(emit, scale, x))
        return emit(Add(), scaled_c, self.per_channel(emit, bias, x)), mean, var

    def linearize(
        self, emit: Emit, x: Value, weight: Value, bias: Value, out: Value, mean: Value, var: Value,
        x_dot: Tangent, weight_dot: Tangent, bias_dot: Tangent,
    ) -> tuple[Tangent, Tangent, Tangent]:  # fmt: skip
        """In terms of c = x - mean and the statistics among the results, so that neither is computed again.

        Per channel, with u = weight * rstd * x_dot:  out_dot = u - mean(u) - c * rstd^2 * mean(c * u) + ...
        The scale is applied to x_dot and not to the difference, so that in the transpose the sums over out_bar and
        c * out_bar are the gradients of bias and weight too, and are taken once.
        """
        axes = without((self.axis,), x.type.rank)
        mean_dot = var_dot = through_x = through_weight = through_bias = None
        if x_dot is not None or weight_dot is not None:
            rstd = rsqrt_of(emit, var, self.eps)
            c = emit(Sub(), x, self.per_channel(emit, mean, x))
            if weight_dot is not None:
                through_weight = emit(Mul(), c, self.per_channel(emit, emit(Mul(), rstd, weight_dot), x))
            if x_dot is not None:
                u = emit(Mul(), self.per_channel(emit, emit(Mul(), weight, rstd), x), x_dot)
                level = emit(Add(), u, self.per_channel(emit, minus_mean_over(emit, u, axes), x))
                tilt = emit(Mul(), emit(Mul(), rstd, rstd), minus_mean_over(emit, emit(Mul(), c, u), axes))
                through_x = emit(Add(), level, emit(Mul(), c, self.per_channel(emit, tilt, x)))
                mean_dot = mean_over(emit, x_dot, axes)
                var_dot = scaled(emit, 2.0, mean_over(emit, emit(Mul(), c, x_dot), axes))
        if bias_dot is not None:
            through_bias = self.per_channel(emit, bias_dot, x)
        return total(emit, through_x, through_weight, through_bias), mean_dot, var_dot


@register
@dataclass(frozen=True, eq=False)
class BatchNormInference(OverChannels):
    """Batch norm with given statistics: (x - mean) / sqrt(var + eps) * weight + bias, per channel.

    x                        T[..., C, ...]   any float dtype T; C at `axis`
    mean, var, weight, bias  T[C]
    returns                  the type of x

    eps      added to the variance
    Raises   ShapeError   no such axis, or an operand is not [C];   DTypeError   not one float dtype
    """

    name = "batch_norm_inference"
    operands = ("x", "mean", "var", "weight", "bias")
    axis: int
    eps: float

    def infer(self, x: TensorType, mean: TensorType, var: TensorType, weight: TensorType, bias: TensorType) -> TensorType:
        return self.check_channels(x=x, mean=mean, var=var, weight=weight, bias=bias)

    def decompose(self, emit: Emit, x: Value, mean: Value, var: Value, weight: Value, bias: Value) -> Value:
        scale = emit(Mul(), weight, rsqrt_of(emit, var, self.eps))
        c = emit(Sub(), x, self.per_channel(emit, mean, x))
        return emit(Add(), emit(Mul(), c, self.per_channel(emit, scale, x)), self.per_channel(emit, bias, x))

    def linearize(self, emit: Emit, *values: Any) -> Any:
        x, mean, var, weight, _ = values[:5]
        x_dot, mean_dot, var_dot, weight_dot, bias_dot = values[6:]
        rstd = rsqrt_of(emit, var, self.eps)
        scale = emit(Mul(), weight, rstd)
        # scale = weight * rstd and rstd' = -rstd^3 / 2, all per channel; only two products have the size of x
        cube = emit(Mul(), emit(Mul(), rstd, rstd), scale)
        scale_dot = total(
            emit,
            None if weight_dot is None else emit(Mul(), rstd, weight_dot),
            None if var_dot is None else emit(Mul(), scaled(emit, -0.5, cube), var_dot),
        )
        shift_dot = total(emit, bias_dot, None if mean_dot is None else emit(Mul(), emit(Neg(), scale), mean_dot))
        through_scale = None
        if scale_dot is not None:
            c = emit(Sub(), x, self.per_channel(emit, mean, x))
            through_scale = emit(Mul(), c, self.per_channel(emit, scale_dot, x))
        through_x = None if x_dot is None else emit(Mul(), self.per_channel(emit, scale, x), x_dot)
        through_shift = None if shift_dot is None else self.per_channel(emit, shift_dot, x)
        return total(emit, through_x, through_scale, through_shift)


def norm_cost(types: tuple[TensorType | None, ...]) -> Cost:
    """About eight operations per entry; x read once and written once, as one kernel does it."""
    present = [t for t in types if t is not None]
    return Cost(8 * present[0].size, sum(t.bytes for t in present), present[0].bytes)
