"""The arguments of one call taken apart, for functions that trace other functions: which leaves are arrays, and where."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.frontend.functional.shape import splat
from burngraph.frontend.recording import is_tensor, located, type_of
from burngraph.frontend.trace import TracedGraph, parameter_name, trace_graph
from burngraph.frontend.trees import TreeDef, flatten, leaf_paths, unflatten
from burngraph.ir.types import F32, TensorType


class _Slot(NamedTuple):
    """Stands for the tracer of parameter `index`."""

    index: int


class FlatCall:
    """The arguments of a call of `fn`; leaves that are arrays become parameters, other leaves are static.

    floats      positions of arguments whose Python floats are f32 arrays of rank 0, as derivatives by them are asked for
    numbers     which of fn's arguments `args` are; all from the first on, if not given

    arrays      the leaves that are arrays, in order
    names       a name for each
    positions   for each argument, keyword ones last, the places of its leaves in `arrays`
    trees       for each argument, its shape
    """

    def __init__(self, fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], floats: Sequence[int] = (),
                 numbers: Sequence[int] | None = None) -> None:  # fmt: skip
        self.numbers = range(len(args)) if numbers is None else numbers
        self.name = getattr(fn, "__name__", "f")
        self.n_positional, self.keywords = len(args), list(kwargs)
        self.arrays: list[Any] = []
        self.names: list[str] = []
        self.positions: list[list[int]] = []
        self.trees: list[TreeDef] = []
        self._leaves: list[list[Any]] = []
        for index, argument in enumerate([*args, *kwargs.values()]):
            leaves, tree = flatten(argument)
            own: list[int] = []
            for place, (leaf, path) in enumerate(zip(leaves, leaf_paths(tree), strict=True)):
                if index in floats and isinstance(leaf, float) and not is_tensor(leaf):
                    leaf = splat(leaf, TensorType(F32, ()))
                if is_tensor(leaf):
                    own.append(len(self.arrays))
                    leaves[place] = _Slot(len(self.arrays))
                    self.arrays.append(leaf)
                    self.names.append(self._leaf_name(fn, index, path))
            self.positions.append(own)
            self.trees.append(tree)
            self._leaves.append(leaves)

    def _leaf_name(self, fn: Callable[..., Any], index: int, path: str) -> str:
        if index < self.n_positional:
            return parameter_name(fn, self.numbers[index], path)
        keyword = self.keywords[index - self.n_positional]
        return f"{keyword}.{path}" if path else keyword

    @property
    def types(self) -> list[TensorType]:
        return [type_of(array) for array in self.arrays]

    def refilled(self, arrays: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments with `arrays` in the places of theirs."""
        filled = [
            unflatten(tree, [arrays[leaf.index] if isinstance(leaf, _Slot) else leaf for leaf in leaves])
            for tree, leaves in zip(self.trees, self._leaves, strict=True)
        ]
        return filled[: self.n_positional], dict(zip(self.keywords, filled[self.n_positional :], strict=True))

    def slots(self, argument: int) -> list[int | None]:
        """For each leaf of an argument its place in `arrays`; None if it is static."""
        return [leaf.index if isinstance(leaf, _Slot) else None for leaf in self._leaves[argument]]

    def trace(self, fn: Callable[..., Any], types: Sequence[TensorType] | None = None) -> TracedGraph:
        """The graph of `fn` on these arguments; `types` replaces the types of their arrays."""

        def on_tracers(*tracers: Any) -> Any:
            args, kwargs = self.refilled(tracers)
            return fn(*args, **kwargs)

        return trace_graph(on_tracers, self.types if types is None else types, self.name, param_names=self.names)


def matching_leaves(what: str, tree: TreeDef, types: Sequence[TensorType | None], given: Any) -> list[Any]:
    """The leaves of `given`, which has the shape of `tree`, as tensors of `types`; None where it or the type is None.

    None in `given` stands for zero, for a leaf or for a whole subtree. A Python number serves where the rank is 0.

    Raises   InputError   another tree
             ShapeError, DTypeError   a leaf of another type
    """
    found: list[Any] = []
    for index, (leaf, type) in enumerate(zip(_leaves(what, tree, given), types, strict=True)):
        if leaf is None or type is None:
            found.append(None)
            continue
        if isinstance(leaf, bool | int | float | complex) and not is_tensor(leaf) and type.shape == ():
            leaf = splat(leaf, type)
        shown = type_of(leaf) if is_tensor(leaf) else leaf.__class__.__name__
        if not is_tensor(leaf) or type_of(leaf) != type:
            error = DTypeError if is_tensor(leaf) and type_of(leaf).shape == type.shape else ShapeError
            raise located(error(f"{what}: leaf {index} is {shown}, must be {type}"))
        found.append(leaf)
    return found


def _leaves(what: str, tree: TreeDef, given: Any) -> list[Any]:
    if given is None:
        return [None] * tree.n_leaves
    if tree.kind == "leaf":
        return [given]
    if tree.kind == "dict":
        fits = isinstance(given, dict) and set(given) == set(tree.keys)
        children = [given[key] for key in tree.keys] if fits else []
    else:
        fits = isinstance(given, list if tree.kind == "list" else tuple) and len(given) == len(tree.children)
        children = list(given) if fits else []
    if not fits:
        raise located(InputError(f"{what}: the tree must be {tree}, got {flatten(given)[1]}"))
    return [leaf for child, item in zip(tree.children, children, strict=True) for leaf in _leaves(what, child, item)]
