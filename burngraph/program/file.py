"""A program on disk: one safetensors file, whose metadata holds the IR text and the trees of arguments and results.

One file, because text and weights that are written apart can also be torn apart. Reading it executes nothing.
"""

import json
import os
from collections import namedtuple
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx

from burngraph.errors import BurngraphError, InputError
from burngraph.frontend.trees import LEAF, TreeDef
from burngraph.ir.graph import Graph
from burngraph.ir.text import parse

FORMAT = "burngraph program 1"
SUFFIX = ".safetensors"
_STATIC = (bool, int, float, str)
_KEYS = (int, str)


class Arguments(NamedTuple):
    """How a call's arguments become a graph's parameters.

    tree     of (args, kwargs)
    leaves   one per leaf of `tree`: None for an array, (value,) for a static leaf
    """

    tree: TreeDef
    leaves: tuple[tuple[Any] | None, ...]


class Stored(NamedTuple):
    """What a file holds; `arguments` and `out_tree` are None for a program compiled from a Graph."""

    graph: Graph
    weights: dict[str, mx.array]
    arguments: Arguments | None
    out_tree: TreeDef | None


def write_program(path: str | os.PathLike[str], stored: Stored) -> None:
    """Write under a temporary name, then rename.

    Raises   InputError   the name does not end in .safetensors, its folder does not exist, or a static argument or a key of a
                          dict is of a type that has no text
    """
    place = Path(path)
    if place.suffix != SUFFIX or not place.parent.is_dir():
        raise InputError(f"save: {place} must be NAME{SUFFIX} in a folder that exists")
    wide = sorted(key for key, array in stored.weights.items() if array.dtype == mx.float64)  # MLX's format has no float64
    arrays = {key: array.view(mx.int64) if key in wide else array for key, array in stored.weights.items()}
    header = {
        "format": FORMAT,
        "float64": wide,
        "arguments": None if stored.arguments is None else _tree_json(stored.arguments.tree),
        "leaves": None if stored.arguments is None else list(map(_leaf_json, stored.arguments.leaves)),
        "results": None if stored.out_tree is None else _tree_json(stored.out_tree),
    }
    partial = place.with_name(f"{place.stem}.partial{SUFFIX}")
    try:
        mx.save_safetensors(str(partial), arrays, metadata={"burngraph": json.dumps(header), "graph": str(stored.graph)})
        os.replace(partial, place)
    finally:
        partial.unlink(missing_ok=True)


def read_program(path: str | os.PathLike[str]) -> Stored:
    """Read what `write_program` wrote.

    Raises   InputError   no such file, or it is not a program
             ParseError   its IR text does not parse
    """
    place = Path(path)
    if not place.is_file():
        raise InputError(f"load: no file {place}")
    try:
        arrays, metadata = mx.load(str(place), return_metadata=True)
        if "burngraph" not in metadata:
            raise InputError(f"load: {place} holds arrays and no program", "make one with program.save(path)")
        header = json.loads(metadata["burngraph"])
        if header["format"] != FORMAT:
            raise InputError(f"load: {place} is {header['format']!r}", f"this version of burngraph reads {FORMAT!r}")
        weights = {key: array.view(mx.float64) if key in header["float64"] else array for key, array in arrays.items()}
        out_tree = None if header["results"] is None else _tree(header["results"])
        arguments = None
        if header["arguments"] is not None:
            arguments = Arguments(_tree(header["arguments"]), tuple(map(_leaf, header["leaves"])))
        text = metadata["graph"]
    except BurngraphError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, RecursionError) as error:
        raise InputError(f"load: {place} is not a burngraph program: {error}", "make one with program.save(path)") from None
    graph = parse(text, filename=str(place), weights=weights)
    _check_trees(place, graph, arguments, out_tree)
    return Stored(graph, weights, arguments, out_tree)


def same_arguments(tree: TreeDef, stored: TreeDef) -> bool:
    """Whether two trees have one shape; named tuples are compared by name and fields, as their class is not on disk."""
    return _without_order(_tree_json(tree)) == _without_order(_tree_json(stored))


def _without_order(tree: dict[str, Any]) -> dict[str, Any]:
    children = [_without_order(child) for child in tree.get("children", ())]
    return {key: value for key, value in tree.items() if key not in ("order", "children")} | {"children": children}


def _check_trees(place: Path, graph: Graph, arguments: Arguments | None, out_tree: TreeDef | None) -> None:
    fits = out_tree is None or out_tree.n_leaves == len(graph.results)
    if arguments is not None:
        n_arrays = sum(leaf is None for leaf in arguments.leaves)
        fits = fits and arguments.tree.n_leaves == len(arguments.leaves) and n_arrays == len(graph.params)
    if not fits:
        raise InputError(f"load: {place} is not a burngraph program: its trees do not fit @{graph.name}")


def _tree_json(tree: TreeDef) -> dict[str, Any]:
    odd = [key for key in tree.keys if type(key) not in _KEYS]
    if odd:
        raise InputError(f"save: a dict has the key {odd[0]!r}", "only str and int keys can be written")
    found: dict[str, Any] = {"kind": tree.kind}
    if tree.keys:
        found["keys"], found["order"] = list(tree.keys), list(tree.order or tree.keys)
    if tree.type is not None:
        found["name"], found["fields"] = tree.type.__name__, list(tree.type._fields)
    if tree.children:
        found["children"] = [_tree_json(child) for child in tree.children]
    return found


def _tree(found: Mapping[str, Any]) -> TreeDef:
    kind = found["kind"]
    children = tuple(map(_tree, found.get("children", ())))
    if kind == "leaf":
        return LEAF
    if kind == "dict":
        keys = tuple(key if type(key) in _KEYS else str(key) for key in found.get("keys", ()))
        order = tuple(found.get("order", keys))
        if sorted(map(repr, order)) != sorted(map(repr, keys)):
            raise ValueError("the order of a dict names other keys")
        return TreeDef(kind, _as_many(children, keys), keys, order=order)
    if kind == "namedtuple":
        cls = namedtuple(found["name"], found["fields"])  # refuses what is no identifier
        return TreeDef(kind, _as_many(children, found["fields"]), type=cls)
    if kind in ("none", "list", "tuple"):
        return TreeDef(kind, children)
    raise ValueError(f"no kind of tree {kind!r}")


def _as_many(children: tuple[TreeDef, ...], names: Sequence[Any]) -> tuple[TreeDef, ...]:
    if len(children) != len(names):
        raise ValueError(f"{len(names)} names for {len(children)} entries")
    return children


def _leaf_json(leaf: tuple[Any] | None) -> list[Any] | None:
    if leaf is None:
        return None
    (value,) = leaf
    if type(value) not in _STATIC:
        raise InputError(f"save: the static argument {value!r} cannot be written", "only bool, int, float and str can")
    return [type(value).__name__, value.hex() if isinstance(value, float) else value]


def _leaf(found: Sequence[Any] | None) -> tuple[Any] | None:
    if found is None:
        return None
    kind, value = found
    return (float.fromhex(value) if kind == "float" else {"bool": bool, "int": int, "str": str}[kind](value),)
