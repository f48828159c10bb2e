"""Products with quantized matrices in MLX."""

from typing import Any

from burngraph.ir.minifloat import E4M3
from burngraph.ir.ops.quantize import MODES, WORD, MicroscaledMatmul, Mode, QuantizedMatmul
from burngraph.lower_mlx.table import lowers


@lowers(QuantizedMatmul)
def lower_quantized_matmul(mx: Any, op: QuantizedMatmul, x: Any, w: Any, scales: Any, biases: Any) -> Any:
    if x.dtype == mx.float64:  # which MLX's product takes not
        groups = _codes(mx, w, op.bits).astype(mx.float64).reshape((*scales.shape, op.group))
        return _with_matrix(mx, x, groups * mx.expand_dims(scales, -1) + mx.expand_dims(biases, -1), w.shape, op)
    return _product(mx, op, x, x.shape, x.dtype, w, scales, biases)


@lowers(QuantizedMatmul, "cpu")
def lower_quantized_matmul_on_cpu(mx: Any, op: QuantizedMatmul, x: Any, w: Any, scales: Any, biases: Any) -> Any:
    if x.dtype not in (mx.float16, mx.bfloat16):
        return lower_quantized_matmul(mx, op, x, w, scales, biases)
    # There MLX adds up in the dtype of x: in bfloat16 the sum of 4096 products was 12 % off
    return _in_float32(mx, op, x, w, scales.astype(mx.float32), biases.astype(mx.float32))


@lowers(MicroscaledMatmul)
def lower_microscaled_matmul(mx: Any, op: MicroscaledMatmul, x: Any, w: Any, scales: Any) -> Any:
    mode = MODES[op.mode]
    if x.dtype == mx.float64:
        return _with_matrix(mx, x, _groups(mx, mode, w, scales), w.shape, op)
    if x.dtype == mx.float16 and mode.scale == "ue8m0":  # float16 has not its range, and MLX would round scales to it
        return _in_float32(mx, op, x, w, scales)
    return _product(mx, op, x, x.shape, x.dtype, w, scales)


@lowers(MicroscaledMatmul, "cpu")
def lower_microscaled_matmul_on_cpu(mx: Any, op: MicroscaledMatmul, x: Any, w: Any, scales: Any) -> Any:
    if x.dtype not in (mx.float16, mx.bfloat16):
        return lower_microscaled_matmul(mx, op, x, w, scales)
    return _in_float32(mx, op, x, w, scales)


Product = QuantizedMatmul | MicroscaledMatmul


def _product(mx: Any, op: Product, x: Any, shape: tuple[int, ...], dtype: Any, w: Any, *factors: Any) -> Any:
    """MLX's. `shape` and `dtype` are those of x, which need not be an operand."""
    rows, words = w.shape
    if 0 in (*shape, rows, words):  # an evaluation of MLX 0.32's on an empty x ended the process: a division by zero
        return mx.zeros((*shape[:-1], rows if op.transposed else words * WORD // _bits(op)), dtype=dtype)
    options: dict[str, Any] = {"transpose": op.transposed, "bits": _bits(op)}
    if isinstance(op, MicroscaledMatmul):
        options |= {"group_size": MODES[op.mode].group, "mode": op.mode}
    else:
        options["group_size"] = op.group
    if len(shape) == 1:  # CUDA's takes matrices only
        return mx.quantized_matmul(x.reshape((1, -1)), w, *factors, **options)[0]
    return mx.quantized_matmul(x, w, *factors, **options)


def _in_float32(mx: Any, op: Product, x: Any, w: Any, *factors: Any) -> Any:
    return _product(mx, op, x.astype(mx.float32), x.shape, mx.float32, w, *factors).astype(x.dtype)


def _bits(op: Product) -> int:
    return op.bits if isinstance(op, QuantizedMatmul) else MODES[op.mode].form.bits


def _with_matrix(mx: Any, x: Any, groups: Any, stored: tuple[int, int], op: Product) -> Any:
    """The product with a matrix that is unpacked, and comes as its groups."""
    matrix = groups.reshape((stored[0], stored[1] * WORD // _bits(op)))
    return x @ (mx.transpose(matrix, (1, 0)) if op.transposed else matrix)


def _codes(mx: Any, w: Any, bits: int) -> Any:
    """Those of each word one after another, along an axis of their own."""
    shifts = mx.arange(0, WORD, bits, dtype=mx.uint32)
    return mx.bitwise_and(mx.right_shift(w.reshape((*w.shape, 1)), shifts), 2**bits - 1)


def _groups(mx: Any, mode: Mode, w: Any, scales: Any) -> Any:
    """The matrix in float64, neighbours with one scale along an axis of their own.

    MLX's own `dequantize` fails on an odd number of nvfp4 groups.
    """
    codes = _codes(mx, w, mode.form.bits)
    if mode.form is E4M3:
        numbers = mx.from_fp8(codes.astype(mx.uint8), dtype=mx.float32)
    else:
        numbers = mx.take(mx.array([mode.form.number(code) for code in range(2**mode.form.bits)], dtype=mx.float32), codes)
    if mode.scale == "ue4m3":
        factors = mx.from_fp8(scales, dtype=mx.float32)
    else:  # the exponent of a float32, whose least one is subnormal
        factors = mx.maximum(mx.left_shift(scales.astype(mx.uint32), 23), 0x400000).view(mx.float32)
    groups = numbers.astype(mx.float64).reshape((*scales.shape, mode.group))
    return groups * mx.expand_dims(factors, -1).astype(mx.float64)
