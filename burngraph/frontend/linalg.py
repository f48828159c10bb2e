"""`bg.linalg`: the array API's linear algebra extension, as far as it is contractions and norms.

Factorisations (cholesky, qr, svd, eigh) and what rests on them (inv, solve, det) are not here: MLX has them on the CPU only.
"""

import operator
from typing import Any, NoReturn

from burngraph.errors import InputError, ShapeError
from burngraph.frontend.functional.contraction import cross, outer, vecdot, vector_norm
from burngraph.frontend.functional.creation import eye
from burngraph.frontend.functional.elementwise import abs as magnitude
from burngraph.frontend.functional.rearrange import diagonal
from burngraph.frontend.functional.reduction import matmul, max, min, sum, tensordot
from burngraph.frontend.functional.shape import astype, broadcast_to, matrix_transpose, tensor
from burngraph.frontend.guard import guard_all
from burngraph.frontend.recording import located, type_of

__all__ = [
    "cross",
    "diagonal",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_transpose",
    "outer",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


_LEFT_OUT = (
    *("cholesky", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq", "lu", "matrix_rank", "pinv", "qr", "slogdet"),
    *("solve", "solve_triangular", "svd", "svdvals", "tri_inv", "cond"),
)


def __getattr__(name: str) -> NoReturn:
    if name == "norm":
        raise AttributeError("there is no bg.linalg.norm: write bg.linalg.vector_norm or bg.linalg.matrix_norm")
    if name not in _LEFT_OUT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise AttributeError(
        f"there is no bg.linalg.{name}: factorizations, and what rests on them, are left out, as MLX computes them on the CPU "
        f"only\n  outside a compiled function, mx.linalg and np.linalg have them: give their result to it as an argument"
    )


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sum of the entries x[..., i, i + offset]; small integers are summed in 32 bits unless `dtype` says another.

    Raises   ShapeError   rank below 2
    """
    entries = diagonal(x, offset=offset)
    return sum(entries if dtype is None else astype(entries, dtype), axis=-1)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: float | str = "fro") -> Any:
    """Norm of the matrices in the last two axes: "fro", or 1, -1 (column sums), inf, -inf (row sums) of sizes.

    Raises   InputError   2, -2 and "nuc", which need singular values
             ShapeError   rank below 2
    """
    x = tensor(x)
    if type_of(x).rank < 2:
        raise located(ShapeError(f"matrix_norm: {type_of(x)} has no last two axes"))
    if ord == "fro":
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if isinstance(ord, str) or abs(ord) not in (1, float("inf")):
        raise located(InputError(f"matrix_norm: ord {ord!r} needs singular values", "orders: 'fro', 1, -1, inf, -inf"))
    summed = -2 if abs(ord) == 1 else -1
    sums = sum(magnitude(x), axis=summed, keepdims=True)
    return (max if ord > 0 else min)(sums, axis=(-2, -1), keepdims=keepdims)


def matrix_power(x: Any, n: int, /) -> Any:
    """Each square matrix in the last two axes times itself, `n` factors; the identity for n = 0. By repeated squaring.

    Raises   ShapeError   not square
             InputError   n is negative, which needs the inverse
    """
    x = tensor(x)
    type = type_of(x)
    if type.rank < 2 or type.shape[-1] != type.shape[-2]:
        raise located(ShapeError(f"matrix_power: {type} is not square in its last two axes"))
    n = operator.index(n)  # a number without end would never be halved to 0
    if n < 0:
        raise located(InputError(f"matrix_power: n is {n}", "a negative power needs the inverse, which is not here"))
    if n == 0:
        return broadcast_to(eye(type.shape[-1], dtype=type.dtype), type.shape)
    result = None
    while n:
        if n % 2:
            result = x if result is None else matmul(result, x)
        n //= 2
        x = matmul(x, x) if n else x
    return result


guard_all(globals(), __all__)
