"""Products with quantized matrices in MLX."""

from typing import Any

from burngraph.ir.ops.quantize import WORD, QuantizedMatmul
from burngraph.lower_mlx.table import lowers


@lowers(QuantizedMatmul)
def lower_quantized_matmul(mx: Any, op: QuantizedMatmul, x: Any, w: Any, scales: Any, biases: Any) -> Any:
    rows, words = w.shape
    if 0 in (*x.shape, rows, words):  # an evaluation of MLX 0.32's on an empty x ended the process: a division by zero
        return mx.zeros((*x.shape[:-1], rows if op.transposed else words * WORD // op.bits), dtype=x.dtype)
    if x.dtype != mx.float64:
        options = {"transpose": op.transposed, "group_size": op.group, "bits": op.bits}
        if len(x.shape) == 1:  # CUDA's takes matrices only
            return mx.quantized_matmul(x.reshape((1, -1)), w, scales, biases, **options)[0]
        return mx.quantized_matmul(x, w, scales, biases, **options)
    # MLX's takes no float64: unpack, scale, multiply
    shifts = mx.arange(0, WORD, op.bits, dtype=mx.uint32)
    codes = mx.bitwise_and(mx.right_shift(w.reshape((rows, words, 1)), shifts), 2**op.bits - 1).astype(mx.float64)
    groups = codes.reshape((rows, scales.shape[1], op.group))
    matrix = groups * mx.expand_dims(scales, -1) + mx.expand_dims(biases, -1)
    matrix = matrix.reshape((rows, words * WORD // op.bits))
    return x @ (mx.transpose(matrix, (1, 0)) if op.transposed else matrix)
