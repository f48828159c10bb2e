"""What a call's arguments are to a program: the signature it is cached by, the arrays among them, and a name for each leaf."""

from typing import Any

import mlx.core as mx
import numpy as np

from burngraph.errors import InputError
from burngraph.evaluator import EVALUATOR
from burngraph.frontend.trace import parameter_name
from burngraph.frontend.trees import TreeDef, flatten, leaf_paths
from burngraph.program.file import Arguments, same_arguments
from burngraph.program.static_arguments import static_key

STATIC = (bool, int, float, complex, str)


def arrays_among(stored: Arguments, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> tuple[Any, ...]:
    """The arrays among the arguments of a loaded program, if they are of the shape it was saved with."""
    leaves, tree = flatten((args, dict(sorted(kwargs.items()))))
    if not same_arguments(tree, stored.tree):
        raise InputError(f"@{name} takes other arguments", f"saved: {stored.tree}", f"given: {tree}")
    for leaf, path, fixed in zip(leaves, leaf_paths(tree), stored.leaves, strict=True):
        if fixed is not None and (type(leaf), repr(leaf)) != (type(fixed[0]), repr(fixed[0])):
            raise InputError(f"@{name}: argument {path} was saved as {fixed[0]!r}, given {leaf!r}", "static values are fixed")
    return tuple(leaf for leaf, fixed in zip(leaves, stored.leaves, strict=True) if fixed is None)


def is_array_leaf(leaf: Any) -> bool:
    """Arrays, and NumPy's own floats (np.float32), which are arrays of rank 0; np.float64 is a Python float too, so static."""
    return not isinstance(leaf, STATIC) and (EVALUATOR.is_array(leaf) or isinstance(leaf, np.inexact))


def signature(tree: Any, arrays: list[mx.array]) -> Any:
    """What a call is cached by, and its arrays in the order of `flatten`; on the path of every call, so no tree is built."""
    kind = type(tree)
    if kind is mx.array:
        arrays.append(tree)
        return tree.dtype, tree.shape
    if isinstance(tree, dict):
        try:
            keys = sorted(tree)
        except TypeError:
            keys = sorted(tree, key=str)  # `flatten` refuses such a dict, with a reason
        return dict, tuple(keys), tuple([signature(tree[k], arrays) for k in keys])
    if isinstance(tree, list | tuple):
        return kind, tuple([signature(item, arrays) for item in tree])
    if tree is None:
        return None
    if is_array_leaf(tree):
        return signature(EVALUATOR.as_array(tree), arrays)
    return static_key(tree)


def leaf_names(fn: Any, tree: TreeDef) -> list[str]:
    """Names of the leaves of (args, kwargs), as the user would say them: "params.conv1.w"."""
    names: list[str] = []
    for path in leaf_paths(tree):
        kind, argument, *rest = path.split(".", 2)
        names.append(parameter_name(fn, int(argument), *rest) if kind == "0" else ".".join([argument, *rest]))
    return names
