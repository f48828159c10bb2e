"""Trees of leaves: nested dicts, lists, tuples, named tuples and None, taken apart and put together again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from burngraph.errors import InputError


@dataclass(frozen=True)
class TreeDef:
    """The shape of a tree without its leaves; hashable.

    kind       "leaf", "none", "dict", "list", "tuple" or "namedtuple"
    keys       sorted keys of a dict
    type       class of a named tuple
    children   one TreeDef per entry, in the order of `keys` or of the sequence
    order      keys of a dict as it had them, in which it is put together again; takes no part in equality
    """

    kind: str
    children: tuple["TreeDef", ...] = ()
    keys: tuple[Any, ...] = ()
    type: Any = None
    order: tuple[Any, ...] = field(default=(), compare=False)

    @property
    def n_leaves(self) -> int:
        return 1 if self.kind == "leaf" else sum(child.n_leaves for child in self.children)

    def __str__(self) -> str:
        inside = [str(child) for child in self.children]
        if self.kind == "leaf":
            return "*"
        if self.kind == "none":
            return "None"
        if self.kind == "dict":
            return "{" + ", ".join(f"{k!r}: {v}" for k, v in zip(self.keys, inside, strict=True)) + "}"
        if self.kind == "list":
            return "[" + ", ".join(inside) + "]"
        head = self.type.__name__ if self.kind == "namedtuple" else ""
        return f"{head}({', '.join(inside)}{',' if len(inside) == 1 and not head else ''})"


LEAF = TreeDef("leaf")
NONE = TreeDef("none")


def flatten(tree: Any) -> tuple[list[Any], TreeDef]:
    """The leaves of `tree`, dict entries in the order of their sorted keys, and what is left without them.

    Raises   InputError   the keys of a dict do not sort
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> TreeDef:
    if tree is None:
        return NONE
    if isinstance(tree, dict):
        try:
            keys = tuple(sorted(tree))
        except TypeError:
            raise InputError(f"the keys of a dict do not sort: {list(tree)}", "give it keys of one type") from None
        return TreeDef("dict", tuple(_flatten(tree[key], leaves) for key in keys), keys, order=tuple(tree))
    if isinstance(tree, list):
        return TreeDef("list", tuple(_flatten(item, leaves) for item in tree))
    if isinstance(tree, tuple):
        children = tuple(_flatten(item, leaves) for item in tree)
        return TreeDef("namedtuple", children, type=type(tree)) if hasattr(tree, "_fields") else TreeDef("tuple", children)
    leaves.append(tree)
    return LEAF


def unflatten(tree_def: TreeDef, leaves: Sequence[Any]) -> Any:
    """The tree of shape `tree_def` with `leaves` in order.

    Raises   InputError   the number of leaves is not the tree's
    """
    if len(leaves) != tree_def.n_leaves:
        raise InputError(f"the tree {tree_def} has {tree_def.n_leaves} leaves, got {len(leaves)}")
    return _unflatten(tree_def, iter(leaves))


def _unflatten(tree_def: TreeDef, leaves: Iterator[Any]) -> Any:
    if tree_def.kind == "leaf":
        return next(leaves)
    if tree_def.kind == "none":
        return None
    items = [_unflatten(child, leaves) for child in tree_def.children]
    if tree_def.kind == "dict":
        found = dict(zip(tree_def.keys, items, strict=True))
        return {key: found[key] for key in tree_def.order or tree_def.keys}
    if tree_def.kind == "list":
        return items
    return tree_def.type(*items) if tree_def.kind == "namedtuple" else tuple(items)


def leaf_paths(tree_def: TreeDef, prefix: str = "") -> list[str]:
    """A name per leaf, in order: keys, field names and positions joined by dots, as in "params.conv1.weight"."""
    if tree_def.kind == "leaf":
        return [prefix]
    names: Sequence[Any] = range(len(tree_def.children))
    if tree_def.kind == "dict":
        names = tree_def.keys
    elif tree_def.kind == "namedtuple":
        names = tree_def.type._fields
    found: list[str] = []
    for name, child in zip(names, tree_def.children, strict=True):
        found += leaf_paths(child, f"{prefix}.{name}" if prefix else str(name))
    return found


def map_leaves(fn: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The tree of fn(leaf, *leaves of the others at the same place).

    Raises   InputError   the trees differ in shape
    """
    leaves, tree_def = flatten(tree)
    columns = [leaves]
    for other in others:
        other_leaves, other_def = flatten(other)
        if other_def != tree_def:
            raise InputError(f"trees differ in shape: {tree_def} and {other_def}")
        columns.append(other_leaves)
    return unflatten(tree_def, [fn(*row) for row in zip(*columns, strict=True)])
