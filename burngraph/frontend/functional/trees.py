"""Trees of arrays: nested dicts, lists, tuples, named tuples and None, as arguments and results may be."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from burngraph.frontend.trees import TreeDef, flatten, leaf_paths, map_leaves, unflatten

__all__ = [
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_leaves",
    "tree_map",
    "tree_map_with_path",
    "tree_reduce",
    "tree_unflatten",
]


def tree_flatten(tree: Any) -> tuple[list[Any], TreeDef]:
    """The leaves of `tree`, dict entries in the order of their sorted keys, and its shape without them.

    Raises   InputError   the keys of a dict do not sort
    """
    return flatten(tree)


def tree_unflatten(tree_def: TreeDef, leaves: Sequence[Any]) -> Any:
    """The tree of that shape with `leaves` in order.

    Raises   InputError   the number of leaves is not the tree's
    """
    return unflatten(tree_def, leaves)


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves of `tree` in order."""
    return flatten(tree)[0]


def tree_flatten_with_path(tree: Any) -> list[tuple[str, Any]]:
    """(path, leaf) in order, as in ("params.conv1.weight", array); mlx.utils.tree_flatten spells them alike."""
    leaves, tree_def = flatten(tree)
    return list(zip(leaf_paths(tree_def), leaves, strict=True))


def tree_map(fn: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The tree of fn(leaf, *leaves of the others at the same place).

    Raises   InputError   the trees differ in shape
    """
    return map_leaves(fn, tree, *others)


def tree_map_with_path(fn: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """tree_map of fn(path, leaf, *leaves of the others).

    Raises   InputError   the trees differ in shape
    """
    paths = unflatten(flatten(tree)[1], leaf_paths(flatten(tree)[1]))
    return map_leaves(fn, paths, tree, *others)


def tree_reduce(fn: Callable[[Any, Any], Any], tree: Any, *initial: Any) -> Any:
    """fn(...fn(fn(first, second), third)..., last) over the leaves, from `initial` if there is one.

    Raises   TypeError   no leaves and no initial value
    """
    return reduce(fn, flatten(tree)[0], *initial)
