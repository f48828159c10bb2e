"""What one signature of a program is compiled to: a graph for each stage, MLX functions, weights made ready for them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import mlx.core as mx

from burngraph.errors import InputError
from burngraph.evaluator import EVALUATOR
from burngraph.frontend.trees import TreeDef
from burngraph.ir.graph import Graph, ParamKind
from burngraph.ir.ops.constant import Weight
from burngraph.ir.target import Target
from burngraph.lower_mlx.lower import Lowered, array_type, lower
from burngraph.passes.check_indices import check_indices
from burngraph.passes.index_check import IndexCheck, raise_if_out_of_range
from burngraph.passes.pipeline import run_pipeline
from burngraph.program.file import Arguments
from burngraph.program.verify import verify_entry


class Options(NamedTuple):
    """What `compile` was told: see there. `static` are the names of keyword arguments that are part of the signature."""

    target: Target
    passes: Sequence[str] | None = None
    checks: bool = False
    verify: bool = False
    static: tuple[str, ...] = ()


class Trees(NamedTuple):
    """How a function's arguments and results become the parameters and results of its graph; None where it is a graph's own."""

    arguments: Arguments | None = None
    out_tree: TreeDef | None = None


NO_TREES = Trees()


class Entry(NamedTuple):
    """One signature, compiled.

    stages     the graph as traced, with checks if asked for, and after each pass
    prepared   what `lowered.prepare` made of the weights
    bound      the array objects that it was made from, by key
    checks     `n_found` results in front for each
    """

    graph: Graph
    trees: Trees
    stages: list[tuple[str, Graph]]
    lowered: Lowered
    prepared: Any
    bound: dict[str, Any]
    checks: tuple[IndexCheck, ...]

    def rebound(self, weights: Mapping[str, Any]) -> "Entry":
        """Itself, or, where an array in `weights` is another object than it was, with `prepare` run again."""
        if all(weights.get(key, array) is array for key, array in self.bound.items()):
            return self
        bound = {key: weights.get(key, array) for key, array in self.bound.items()}
        return self._replace(prepared=self.lowered.prepare(_checked_weights(self.lowered, bound)), bound=bound)

    def run(self, arrays: list[mx.array]) -> list[mx.array]:
        """Results, not evaluated; those of the checks in front."""
        results = list(self.lowered.run(self.prepared, arrays))
        for i in self.lowered.shared:  # so that the caller may write into each result
            results[i] = mx.array(results[i])
        return results

    def raise_if_out_of_range(self, results: list[mx.array]) -> list[mx.array]:
        """Evaluated results without those of the checks. Raises IndexRangeError: one of these found something."""
        n = sum(check.n_found for check in self.checks)
        raise_if_out_of_range(self.checks, [x.item() for x in results[:n]])
        return results[n:]


def build(graph: Graph, weights: Mapping[str, Any], options: Options, trees: Trees, inputs: list[Any] | None = None) -> Entry:
    """Run the passes and lower.

    inputs   what the call was given, which `options.verify` runs every stage and the emitted program on

    Raises   InputError       a weight has no data, or data of another type
             BurngraphError   with `options.verify`, a stage or the emitted program computes something else than the graph
    """
    whole, checks = check_indices(graph) if options.checks else (graph, ())
    stages = run_pipeline(whole, options.passes)
    final = stages[-1][1]
    lowered = lower(final, options.target)
    data = {op.key: op.data for op in weights_in(final) if op.data is not None}
    data.update(weights)
    missing = [key for key in lowered.weights if key not in data]
    if missing:
        raise InputError(f"weight {missing[0]!r} has no data", "pass weights={key: array}")
    bound = {key: data[key] for key in lowered.weights}
    arrays = _checked_weights(lowered, bound)
    entry = Entry(graph, trees, stages, lowered, lowered.prepare(arrays), bound, checks)
    if options.verify and inputs is not None:
        verify_entry(stages, lambda: entry.run(inputs), inputs, arrays)
    return entry


def weight_keys(graph: Graph) -> list[str]:
    """The keys of its weights, parameters first."""
    params = [p.name or "" for p, kind in zip(graph.params, graph.kinds, strict=True) if kind is ParamKind.WEIGHT]
    return params + [op.key for op in weights_in(graph)]


def weights_in(graph: Graph) -> Iterator[Weight]:
    """The weights of `graph` and of the graphs nested in it."""
    for node in graph.nodes:
        if isinstance(node.op, Weight):
            yield node.op
        for nested in node.op.graphs():
            yield from weights_in(nested)


def has_data(graph: Graph, weights: Mapping[str, Any]) -> bool:
    """Whether each weight of the graph has data, in `weights` or of its own."""
    keys = [p.name for p, kind in zip(graph.params, graph.kinds, strict=True) if kind is ParamKind.WEIGHT]
    keys += [op.key for op in weights_in(graph) if op.data is None]
    return all(key in weights for key in keys)


def _checked_weights(lowered: Lowered, bound: Mapping[str, Any]) -> dict[str, mx.array]:
    """The bound arrays as MLX arrays. Raises InputError: one is of another type than the graph says."""
    arrays = {key: EVALUATOR.frozen(array) for key, array in bound.items()}
    for key, array in arrays.items():
        if array_type(array) != lowered.weights[key]:
            raise InputError(f"weight {key!r} was given {array_type(array)}, must be {lowered.weights[key]}")
    return arrays
