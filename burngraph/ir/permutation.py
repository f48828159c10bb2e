"""Permutations of axes, as tuples: `permute(x, p)` has axis k of the result = axis p[k] of x."""

Perm = tuple[int, ...]


def identity(rank: int) -> Perm:
    return tuple(range(rank))


def is_identity(perm: Perm) -> bool:
    return perm == tuple(range(len(perm)))


def inverse(perm: Perm) -> Perm:
    """q such that permute(permute(x, perm), q) = x."""
    result = [0] * len(perm)
    for position, axis in enumerate(perm):
        result[axis] = position
    return tuple(result)


def compose(first: Perm, second: Perm) -> Perm:
    """The single permutation that does `first`, then `second`."""
    return tuple(first[axis] for axis in second)


def restrict(perm: Perm, kept: tuple[int, ...]) -> Perm:
    """What `perm` does to the axes in `kept` once all others are gone."""
    order = sorted(kept)
    return tuple(order.index(axis) for axis in perm if axis in kept)


def moves_data(perm: Perm, shape: tuple[int, ...]) -> bool:
    """Whether `perm` changes the row-major order of an array of `shape`: axes of size 1 may move freely."""
    order = [axis for axis in perm if shape[axis] != 1]
    return order != sorted(order) and 0 not in shape


def is_permutation(perm: object, rank: int) -> bool:
    return isinstance(perm, tuple) and sorted(perm) == list(range(rank))
