"""Products and contractions beyond matmul: einsum, cross, vecdot, outer, kron; norms of vectors."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from burngraph.errors import InputError, ShapeError
from burngraph.frontend.functional.comparison import equal, not_equal, where
from burngraph.frontend.functional.elementwise import abs as magnitude
from burngraph.frontend.functional.elementwise import divide, multiply, pow, sqrt, square, subtract
from burngraph.frontend.functional.fourier import conj
from burngraph.frontend.functional.rearrange import diagonal, roll
from burngraph.frontend.functional.reduction import matmul, max, min, sum, tensordot, widened
from burngraph.frontend.functional.shape import Axes, astype, moveaxis, normal_axes, normal_axis, permute_dims, reshape, tensor
from burngraph.frontend.recording import located, type_of
from burngraph.ir.types import BOOL

__all__ = ["cross", "einsum", "inner", "kron", "outer", "vecdot", "vector_norm"]

_OPTIMAL_UP_TO = 6  # operands; the search for the best order grows exponentially beyond


def einsum(equation: str, *operands: Any) -> Any:
    """Multiply operands along labelled axes and add up over the labels that the result does not name.

    equation   "ij,jk->ik" and so on: one letter per axis; "..." for axes that broadcast; a letter twice in one operand takes
               its diagonal; without "->", the result has the letters that occur once, in alphabetical order
    operands   one per term; more than two are multiplied pair by pair, in the order that numpy.einsum_path finds cheapest

    Raises     InputError   the equation does not read, or names another number of operands
               ShapeError   a letter stands for dims that differ, or a term has another number of letters than axes
    """
    tensors = [tensor(x) for x in operands]
    terms, result = _parsed(equation, [type_of(x).rank for x in tensors])
    _check_dims(equation, terms, tensors)
    tensors, terms = _broadcast_ellipsis(terms, tensors)
    standing = {i: _diagonals(x, term) for i, (x, term) in enumerate(zip(tensors, terms, strict=True))}
    for first, second in _steps(terms, result, tensors):
        left, right = standing.pop(first), standing.pop(second)
        needed = set(result).union(*(term for _, term in standing.values()))
        standing[first] = _contracted(left, right, needed)
    ((x, term),) = standing.values()
    x, term = _summed(x, term, set(result))
    return permute_dims(x, [term.index(label) for label in result])


Term = tuple[Any, ...]  # labels: a letter, or ("...", k) for the k-th broadcast axis counted from the last


def _parsed(equation: str, ranks: Sequence[int]) -> tuple[list[Term], Term]:
    text = equation.replace(" ", "")
    match = re.fullmatch(r"((?:[a-zA-Z]|\.{3}|,)*)(?:->((?:[a-zA-Z]|\.{3})*))?", text)
    if match is None or any(part.count("...") > 1 for part in re.split("->|,", text)):
        raise located(InputError(f"einsum: {equation!r} does not read", "write letters and '...', as in 'bij,bjk->bik'"))
    parts = match[1].split(",")
    if len(parts) != len(ranks):
        raise located(InputError(f"einsum: {equation!r} names {len(parts)} operands, got {len(ranks)}"))
    terms = [_term(equation, part, rank, place) for place, (part, rank) in enumerate(zip(parts, ranks, strict=True))]
    wild = sorted({label for term in terms for label in term if isinstance(label, tuple)}, key=lambda label: -label[1])
    if match[2] is None:
        letters = [label for term in terms for label in term if isinstance(label, str)]
        return terms, (*wild, *sorted(label for label in set(letters) if letters.count(label) == 1))
    head, dots, tail = match[2].partition("...")
    result: Term = (*head, *(wild if dots else ()), *tail)
    if len(set(result)) != len(result) or not set(result) <= {label for term in terms for label in term}:
        raise located(InputError(f"einsum: the result of {equation!r} names a letter twice, or one that no operand has"))
    return terms, result


def _term(equation: str, part: str, rank: int, place: int) -> Term:
    head, dots, tail = part.partition("...")
    n_wild = rank - len(head) - len(tail)
    if n_wild < 0 or (n_wild and not dots):
        raise located(ShapeError(f"einsum: operand {place} of {equation!r} has rank {rank}, its term {part!r} has another"))
    return (*head, *(("...", k) for k in range(n_wild - 1, -1, -1)), *tail)


def _check_dims(equation: str, terms: Sequence[Term], tensors: Sequence[Any]) -> None:
    dims: dict[Any, int] = {}
    for term, x in zip(terms, tensors, strict=True):
        for label, dim in zip(term, type_of(x).shape, strict=True):
            known = dims.setdefault(label, dim)
            if isinstance(label, tuple) and 1 in (known, dim):
                dims[label] = dim if known == 1 else known
            elif known != dim:
                types = [f"operand {i}: {type_of(t)}" for i, t in enumerate(tensors)]
                raise located(ShapeError(f"einsum: {label!r} of {equation!r} is both {known} and {dim}", *types))


def _broadcast_ellipsis(terms: Sequence[Term], tensors: Sequence[Any]) -> tuple[list[Any], list[Term]]:
    """Axes of "..." that have dim 1 where another operand has more are dropped: they broadcast by not being there."""
    dims: dict[Any, int] = {}
    for term, x in zip(terms, tensors, strict=True):
        for label, dim in zip(term, type_of(x).shape, strict=True):
            dims[label] = dim if dims.get(label, 1) == 1 else dims[label]
    kept_tensors, kept_terms = [], []
    for term, x in zip(terms, tensors, strict=True):
        shape = type_of(x).shape
        kept = [i for i, label in enumerate(term) if not (isinstance(label, tuple) and shape[i] == 1 != dims[label])]
        kept_tensors.append(reshape(x, [shape[i] for i in kept]))
        kept_terms.append(tuple(term[i] for i in kept))
    return kept_tensors, kept_terms


def _diagonals(x: Any, term: Term) -> tuple[Any, Term]:
    """`x` with each letter once: where one stands twice, its diagonal."""
    for label in dict.fromkeys(term):
        while term.count(label) > 1:
            first = term.index(label)
            second = term.index(label, first + 1)
            x = diagonal(x, axis1=first, axis2=second)
            term = (*(other for i, other in enumerate(term) if i not in (first, second)), label)
    return x, term


def _steps(terms: Sequence[Term], result: Term, tensors: Sequence[Any]) -> list[tuple[int, int]]:
    """Which two operands are multiplied in turn; the product takes the number of the first."""
    if len(terms) <= 2:
        return [(0, 1)] if len(terms) == 2 else []
    numbers = {label: i for i, label in enumerate(dict.fromkeys(label for term in terms for label in term))}
    arguments: list[Any] = []
    for term, x in zip(terms, tensors, strict=True):
        arguments += [np.broadcast_to(np.int8(0), type_of(x).shape), [numbers[label] for label in term]]
    search = "optimal" if len(terms) <= _OPTIMAL_UP_TO else "greedy"
    path = np.einsum_path(*arguments, [numbers[label] for label in result], optimize=search)[0][1:]
    places, steps = list(range(len(terms))), []
    for group in path:  # positions among the operands still standing; their product goes to the end
        first, *others = (places[i] for i in group)
        steps += [(first, other) for other in others]
        places = [place for i, place in enumerate(places) if i not in group] + [first]
    return steps


def _summed(x: Any, term: Term, needed: set[Any]) -> tuple[Any, Term]:
    """`x` added up over the labels that nobody needs any more."""
    gone = [i for i, label in enumerate(term) if label not in needed]
    return (sum(x, axis=gone) if gone else x), tuple(label for label in term if label in needed)


def _contracted(left: tuple[Any, Term], right: tuple[Any, Term], needed: set[Any]) -> tuple[Any, Term]:
    """The product of two operands, added up over labels that are in none but these two."""
    x, a = _summed(*left, needed=needed | set(right[1]))
    y, b = _summed(*right, needed=needed | set(left[1]))
    shared = [label for label in a if label in b]
    batch = [label for label in shared if label in needed]
    inner_ = [label for label in shared if label not in needed]
    rows, columns = [label for label in a if label not in b], [label for label in b if label not in a]
    if not batch and inner_:
        return tensordot(x, y, axes=([a.index(i) for i in inner_], [b.index(i) for i in inner_])), (*rows, *columns)
    if not inner_ or not (rows or columns):  # nothing to add up, or one number per batch: no matrix product
        order = (*batch, *inner_, *rows, *columns)
        product = multiply(_aligned(x, a, order), _aligned(y, b, order))
        return _summed(product, order, set(order) - set(inner_))
    sizes = dict(zip(a, type_of(x).shape, strict=True)) | dict(zip(b, type_of(y).shape, strict=True))

    def grouped(z: Any, term: Term, *groups: Sequence[Any]) -> Any:
        z = permute_dims(z, [term.index(label) for group in groups for label in group])
        return reshape(z, [math.prod(sizes[label] for label in group) for group in groups])

    product = matmul(grouped(x, a, batch, rows, inner_), grouped(y, b, batch, inner_, columns))
    order = (*batch, *rows, *columns)
    return reshape(product, [sizes[label] for label in order]), order


def _aligned(x: Any, term: Term, order: Sequence[Any]) -> Any:
    """`x` with its axes in `order`, and of dim 1 where it has none."""
    present = [label for label in order if label in term]
    x = permute_dims(x, [term.index(label) for label in present])
    dims = iter(type_of(x).shape)
    return reshape(x, [next(dims) if label in term else 1 for label in order])


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Dot products of vectors along `axis`, other axes broadcast; for complex numbers x1 is conjugated. In x1's and x2's dtype.

    Raises   ShapeError   the vectors differ in length
    """
    x1, x2 = tensor(x1), tensor(x2)
    a, b = type_of(x1), type_of(x2)
    first, second = normal_axis("vecdot", axis, a.rank), normal_axis("vecdot", axis, b.rank)
    if a.shape[first] != b.shape[second]:
        raise located(ShapeError(f"vecdot: axis {axis} differs in length", f"x1: {a}", f"x2: {b}"))
    products = multiply(conj(moveaxis(x1, first, -1)), moveaxis(x2, second, -1))
    return sum(products, axis=-1, dtype=None if type_of(products).dtype is BOOL else type_of(products).dtype)


def inner(x: Any, y: Any, /) -> Any:
    """Sum of products over the last axis of both; the other axes of x come before those of y.

    Raises   ShapeError   the last axes differ
    """
    x, y = tensor(x), tensor(y)
    if not type_of(x).rank or not type_of(y).rank:
        return multiply(x, y)
    return tensordot(x, y, axes=((-1,), (-1,)))


def outer(x1: Any, x2: Any, /) -> Any:
    """x1[i] * x2[j]; operands of higher rank are read in row-major order."""
    return multiply(reshape(tensor(x1), (-1, 1)), reshape(tensor(x2), (1, -1)))


def kron(x: Any, y: Any, /) -> Any:
    """The Kronecker product: each entry of x times the whole of y, laid out as x is; shapes are aligned at the last axis."""
    x, y = tensor(x), tensor(y)
    rank = type_of(x).rank if type_of(x).rank > type_of(y).rank else type_of(y).rank
    a = (1,) * (rank - type_of(x).rank) + type_of(x).shape
    b = (1,) * (rank - type_of(y).rank) + type_of(y).shape
    left = reshape(x, [dim for n in a for dim in (n, 1)])
    right = reshape(y, [dim for n in b for dim in (1, n)])
    return reshape(multiply(left, right), [m * n for m, n in zip(a, b, strict=True)])


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Cross products of vectors of length 3 along `axis`; other axes broadcast.

    Raises   ShapeError   `axis` is not of length 3 in both
    """
    x1, x2 = tensor(x1), tensor(x2)
    a, b = type_of(x1), type_of(x2)
    first, second = normal_axis("cross", axis, a.rank), normal_axis("cross", axis, b.rank)
    if a.shape[first] != 3 or b.shape[second] != 3:
        raise located(ShapeError(f"cross: axis {axis} must be of length 3", f"x1: {a}", f"x2: {b}"))
    x, y = moveaxis(x1, first, -1), moveaxis(x2, second, -1)
    product = subtract(
        multiply(roll(x, -1, axis=-1), roll(y, -2, axis=-1)), multiply(roll(x, -2, axis=-1), roll(y, -1, axis=-1))
    )
    rank = type_of(product).rank
    return moveaxis(product, -1, normal_axis("cross", axis, rank))


def vector_norm(x: Any, /, *, axis: Axes = None, keepdims: bool = False, ord: float = 2) -> Any:
    """(sum |x|^ord)^(1/ord) along `axis`, all axes if None; ord inf and -inf are the extremes, 0 counts nonzeros.

    Where the norm is 0, so is its derivative, as torch's.
    """
    x = tensor(x)
    axes = normal_axes("vector_norm", axis, type_of(x).rank)
    wide, dtype = widened(x)
    result = _norm(wide, axes, keepdims, ord)
    return astype(result, dtype) if dtype.bytes == 2 else result


def _norm(x: Any, axes: tuple[int, ...], keepdims: bool, ord: float) -> Any:
    if ord == 2 and type_of(x).dtype.kind != "complex":
        return root(sum(square(x), axis=axes, keepdims=keepdims), 2)
    size = magnitude(x)
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(size, axis=axes, keepdims=keepdims)
    if ord == 0:
        return sum(astype(not_equal(size, 0), type_of(size).dtype), axis=axes, keepdims=keepdims)
    if ord == 1:
        return sum(size, axis=axes, keepdims=keepdims)
    if ord < 0:
        return pow(sum(pow(size, float(ord)), axis=axes, keepdims=keepdims), divide(1.0, float(ord)))
    return root(sum(powers(size, ord), axis=axes, keepdims=keepdims), ord)


def powers(size: Any, order: float) -> Any:
    """size ** order, of sizes >= 0 and an order > 0; where an order below 1 has an infinite derivative, at 0, it is 0."""
    if order >= 1:
        return square(size) if order == 2 else pow(size, float(order))
    is_zero = equal(size, 0)
    return where(is_zero, size, pow(where(is_zero, 1.0, size), float(order)))


def root(x: Any, order: float) -> Any:
    """x ** (1 / order); where x is 0 the derivative is 0, not infinite."""
    is_zero = equal(x, 0)
    safe = where(is_zero, 1.0, x)
    return where(is_zero, x, sqrt(safe) if order == 2 else pow(safe, 1 / order))
