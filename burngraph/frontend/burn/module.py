"""Burn's operations of neural networks, where PyTorch's function of that name means something else."""

import math
from collections.abc import Sequence
from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.frontend.functional.attention import scaled_dot_product_attention
from burngraph.frontend.functional.comparison import less, logical_not, where
from burngraph.frontend.functional.conv import conv_transpose1d, conv_transpose2d, conv_transpose3d, floats, per_axis
from burngraph.frontend.functional.creation import zeros
from burngraph.frontend.functional.elementwise import add
from burngraph.frontend.functional.padding import pad
from burngraph.frontend.functional.shape import astype, reshape, sliced, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.scatter import ScatterAlong

__all__ = ["attention", "conv_transpose", "max_pool_backward"]


def conv_transpose(
    x: Any,
    weight: Any,
    bias: Any,
    stride: int | Sequence[int],
    padding: int | Sequence[int],
    padding_out: int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
) -> Any:
    """bg.conv_transpose1d, 2d or 3d, as x has axes, but for padding_out, which may be as large as one likes.

    x         [N, C, *S]
    weight    [C, O / groups, *K]
    bias      [O], or None
    returns   [N, O, *S'],  S' = (S - 1) * stride + dilation * (K - 1) + 1 + padding_out - 2 * padding

    Raises    ShapeError   x has not 1 to 3 spatial axes, other shapes do not fit, or nothing is left
    """
    x, weight, bias = floats(x, weight, bias)
    n = type_of(x).rank - 2
    if not 1 <= n <= 3:
        raise located(ShapeError(f"conv_transpose: x is {type_of(x)}, must be [N, C, *S] with 1 to 3 spatial axes"))
    transposed = (conv_transpose1d, conv_transpose2d, conv_transpose3d)[n - 1]
    steps, gaps = per_axis("conv_transpose", "stride", stride, n), per_axis("conv_transpose", "dilation", dilation, n)
    more = per_axis("conv_transpose", "padding_out", padding_out, n, 0)
    if all(extra < max(s, d) for extra, s, d in zip(more, steps, gaps, strict=True)):
        return transposed(x, weight, bias, stride, padding, padding_out, groups, dilation)
    # All that the kernels reach, zeros after that, and then the padding cut off.
    whole = transposed(x, weight, None, stride, 0, 0, groups, dilation)
    longer = pad(whole, [(0, 0), (0, 0), *((0, extra) for extra in more)])
    cut = per_axis("conv_transpose", "padding", padding, n, 0)
    shape = type_of(longer).shape
    stops = [size - p for size, p in zip(shape[2:], cut, strict=True)]
    if any(stop <= p for stop, p in zip(stops, cut, strict=True)):
        raise located(ShapeError(f"conv_transpose: padding {cut} leaves nothing of {shape[2:]}", f"x: {type_of(x)}"))
    y = sliced(longer, [0, 0, *cut], [*shape[:2], *stops], [1] * (n + 2))
    return y if bias is None else add(y, reshape(bias, (shape[1],) + (1,) * n))


def max_pool_backward(x: Any, grad: Any, indices: Any) -> Any:
    """Zeros of x's shape [N, C, *S] with `grad` [N, C, *S'] added at its positions in each plane.

    indices   integers [N, C, *S'], as a maximum pool gives them: row-major in S. One out of range, also -1, is dropped

    Raises    ShapeError   x and grad differ in N or C, or grad and indices differ;   DTypeError   indices are not integers
    """
    x, grad, indices = tensor(x), tensor(grad), tensor(indices)
    a, g, i = type_of(x), type_of(grad), type_of(indices)
    if a.rank < 3 or g.rank != a.rank or g.shape[:2] != a.shape[:2] or i.shape != g.shape:
        listed = (f"x: {a}", f"grad: {g}", f"indices: {i}")
        raise located(ShapeError("max_pool_backward: takes x [N, C, *S], and grad and indices [N, C, *S']", *listed))
    if not i.dtype.is_integer:
        raise located(DTypeError(f"max_pool_backward: indices are {i}, not integers"))
    plane, lead = math.prod(a.shape[2:]), a.shape[:2]
    places = reshape(astype(indices, "int64"), (*lead, math.prod(g.shape[2:])))
    places = where(less(places, 0), plane, places)  # a negative index would count from the end
    found = apply(ScatterAlong(2, "add"), zeros((*lead, plane), g.dtype), places, reshape(grad, type_of(places).shape))
    return reshape(found, a.shape)


def attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    attn_bias: Any = None,
    scale: float | None = None,
    softcap: float | None = None,
    is_causal: bool = False,
) -> Any:
    """bg.scaled_dot_product_attention, but for the mask's meaning, and with a bias beside it.

    query       [..., Lq, D]
    key, value  [..., Lk, D] and [..., Lk, Dv]
    mask        bool, True where a key is hidden; broadcasts to [..., Lq, Lk]
    attn_bias   added to the scaled and capped products
    is_causal   query i sees keys up to i + Lk - Lq, so that the last query sees all
    returns     [..., Lq, Dv]; zeros for a query from which all keys are hidden

    Raises      ShapeError   the operands do not fit
    """
    if mask is None:
        seen = attn_bias
    else:
        seen = logical_not(mask) if attn_bias is None else where(mask, -math.inf, attn_bias)
    causal = "lower_right" if is_causal else False
    return scaled_dot_product_attention(query, key, value, seen, is_causal=causal, scale=scale, softcap=softcap)
