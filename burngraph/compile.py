"""`compile`: a function or graph as a Program that runs on MLX, one evaluation per call."""

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from burngraph.errors import BurngraphError, InputError
from burngraph.frontend.recording import install_evaluator
from burngraph.frontend.trace import parameter_name, trace_graph
from burngraph.frontend.trees import TreeDef, flatten, leaf_paths, unflatten
from burngraph.ir import interpret
from burngraph.ir.builder import infer_types
from burngraph.ir.graph import Graph, ParamKind
from burngraph.ir.op import Cost, Op
from burngraph.ir.ops.composite import graph_cost
from burngraph.ir.ops.constant import Weight
from burngraph.ir.target import TARGETS, Target
from burngraph.ir.types import TensorType, as_dtype
from burngraph.lower_mlx.lower import Lowered, apply_eagerly, array_type, default_target, from_numpy, lower
from burngraph.passes.eliminate_layout import eliminate_layout_with_certificate
from burngraph.passes.layout_certificate import Certificate
from burngraph.passes.pipeline import LAYOUT, run_pipeline
from burngraph.program_file import Arguments, Stored, read_program, same_arguments, write_program

CACHE_SIZE = 32  # compiled signatures kept per program
STATIC = (bool, int, float, complex, str)


class MlxEvaluator:
    """Runs ops on concrete arrays outside a trace: lazy MLX arrays, op by op."""

    def is_array(self, x: Any) -> bool:
        return isinstance(x, mx.array | np.ndarray) or (hasattr(x, "__dlpack__") and hasattr(x, "shape"))

    def as_array(self, x: Any) -> mx.array:
        if isinstance(x, mx.array):
            return x
        if not isinstance(x, np.ndarray | np.generic):
            try:
                x = np.from_dlpack(x)
            except (BufferError, RuntimeError, TypeError) as error:
                raise InputError(f"an array of {type(x).__name__} does not convert: {error}") from None
        return from_numpy(np.asarray(x))

    def type_of(self, x: Any) -> TensorType:
        return array_type(x)

    def apply(self, op: Op, *arrays: Any) -> tuple[Any, ...]:
        infer_types(op, [None if a is None else array_type(a) for a in arrays])
        return apply_eagerly(op, *arrays)


EVALUATOR = MlxEvaluator()
install_evaluator(EVALUATOR)


class Entry(NamedTuple):
    """What one signature was compiled to."""

    graph: Graph
    stages: list[tuple[str, Graph]]
    lowered: Lowered
    prepared: Any
    captured: list[Any]
    out_tree: TreeDef | None
    bound: dict[str, Any]  # the array objects that `prepared` was made from, by key
    arguments: Arguments | None  # None for a program compiled from a Graph


class CacheInfo(NamedTuple):
    hits: int
    misses: int
    size: int
    max_size: int


class Program:
    """A compiled function. Call it on arrays, or on trees of them; `lazy` builds the result and does not evaluate it."""

    def __init__(self, fn: Callable[..., Any] | Graph, weights: Mapping[str, Any] | None, target: Target,
                 passes: Sequence[str] | None, verify: bool, static_argnames: tuple[str, ...],
                 arguments: Arguments | None = None, out_tree: TreeDef | None = None) -> None:  # fmt: skip
        self._fn, self._weights, self._target = fn, weights or {}, target
        self._passes, self._verify, self._static = passes, verify, static_argnames
        self._arguments, self._out_tree = arguments, out_tree  # of a graph that was traced from a function and saved
        self._cache: OrderedDict[Any, Entry] = OrderedDict()
        self._last: Entry | None = None
        self._hits = self._misses = 0
        if isinstance(fn, Graph) and not verify and not self._missing_weights(fn):
            self._last = self._build(fn, [], out_tree)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        results, tree = self._run(args, kwargs)
        mx.eval(results)
        return _shaped(results, tree)

    def lazy(self, *args: Any, **kwargs: Any) -> Any:
        """The same result, not evaluated."""
        return _shaped(*self._run(args, kwargs))

    def specialise(self, *args: Any, **kwargs: Any) -> "Program":
        """Trace and lower for these arguments' signature without running; the program, for chaining."""
        self._select(args, kwargs)
        return self

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[mx.array], TreeDef | None]:
        arrays, entry = self._select(args, kwargs)
        if any(self._weights.get(key, array) is not array for key, array in entry.bound.items()):
            entry = self._rebound(entry)
        return list(entry.lowered.run(entry.prepared, (*arrays, *entry.captured))), entry.out_tree

    def _select(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[mx.array], Entry]:
        """The arrays among the arguments, and what their signature was compiled to."""
        if not isinstance(self._fn, Graph):
            return self._entry_for(args, kwargs)
        if self._arguments is not None:
            args, kwargs = _arrays_among(self._arguments, args, kwargs, self._fn.name), {}
        arrays = [EVALUATOR.as_array(x) for x in args]
        _check(self._fn, arrays, kwargs)
        if self._last is None:
            self._last = self._build(self._fn, [], self._out_tree, arrays)
        return arrays, self._last

    def _entry_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[mx.array], Entry]:
        arrays: list[mx.array] = []
        if kwargs:
            kwargs = dict(sorted(kwargs.items()))
        static = {k: v for k, v in kwargs.items() if k in self._static}
        traced = (args, {k: v for k, v in kwargs.items() if k not in static}) if kwargs else (args, {})
        key = (_signature(traced, arrays), tuple((k, type(v), v) for k, v in static.items()))
        try:
            found = self._cache.get(key)
        except TypeError:
            raise InputError(
                "a static argument does not hash", "pass arrays, numbers, strings, None or trees of them"
            ) from None
        if found is not None:
            self._hits += 1
            self._cache.move_to_end(key)
        else:
            self._misses += 1
            leaves, tree = flatten(traced)
            found = self._trace(leaves, [_is_tensor(leaf) for leaf in leaves], tree, static, arrays)
            self._cache[key] = found
            if len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
        self._last = found
        return arrays, found

    def _trace(self, leaves: list[Any], is_tensor: list[bool], tree: TreeDef,
               static: dict[str, Any], arrays: list[mx.array]) -> Entry:  # fmt: skip
        fn = self._fn
        types = [array_type(a) for a in arrays]
        assert not isinstance(fn, Graph)

        def on_tracers(*tracers: Any) -> Any:
            rest = iter(tracers)
            args, kwargs = unflatten(tree, [next(rest) if flag else x for x, flag in zip(leaves, is_tensor, strict=True)])
            return fn(*args, **kwargs, **static)

        names = _names(fn, tree, is_tensor)
        traced = trace_graph(on_tracers, types, name=getattr(fn, "__name__", "f"), param_names=names)
        captured = [EVALUATOR.as_array(x) for x in traced.captured]
        given = Arguments(tree, tuple(None if flag else (x,) for x, flag in zip(leaves, is_tensor, strict=True)))
        return self._build(traced.graph, captured, traced.out_tree, [*arrays, *captured], given)

    def _build(self, graph: Graph, captured: list[Any], tree: TreeDef | None, inputs: list[Any] | None = None,
               arguments: Arguments | None = None) -> Entry:  # fmt: skip
        stages = run_pipeline(graph, self._passes)
        final = stages[-1][1]
        lowered = lower(final, self._target)
        data = {n.op.key: n.op.data for n in final.nodes if isinstance(n.op, Weight) and n.op.data is not None}
        data.update(self._weights)
        missing = [key for key in lowered.weight_keys if key not in data]
        if missing:
            raise InputError(f"weight {missing[0]!r} has no data", "pass weights={key: array}")
        bound = {key: data[key] for key in lowered.weight_keys}
        if self._verify and inputs is not None:
            _compare_stages(stages, inputs, {key: as_numpy(EVALUATOR.as_array(array)) for key, array in bound.items()})
        prepared = lowered.prepare({key: EVALUATOR.as_array(array) for key, array in bound.items()})
        return Entry(graph, stages, lowered, prepared, captured, tree, bound, arguments or self._arguments)

    def _rebound(self, entry: Entry) -> Entry:
        """The entry with `prepare` run again, because an array in `weights` is another object than it was."""
        bound = {key: self._weights.get(key, array) for key, array in entry.bound.items()}
        prepared = entry.lowered.prepare({key: EVALUATOR.as_array(array) for key, array in bound.items()})
        fresh = entry._replace(prepared=prepared, bound=bound)
        for key, cached in self._cache.items():
            if cached is entry:
                self._cache[key] = fresh
                break
        self._last = fresh
        return fresh

    def _missing_weights(self, graph: Graph) -> bool:
        keys = [p.name for p, kind in zip(graph.params, graph.kinds, strict=True) if kind is ParamKind.WEIGHT]
        keys += [n.op.key for n in graph.nodes if isinstance(n.op, Weight) and n.op.data is None]
        return any(key not in self._weights for key in keys)

    def _entry(self) -> Entry:
        if self._last is None:
            raise InputError("the program has not been traced yet", "call it once, or compile a Graph")
        return self._last

    @property
    def graph(self) -> Graph:
        """The graph of the last call, as traced."""
        return self._entry().graph

    def ir(self, stage: str | None = None) -> Graph:
        """The graph after the pass named `stage`; the last one if not given."""
        stages = self._entry().stages
        for name, graph in stages:
            if name == stage:
                return graph
        if stage is None:
            return stages[-1][1]
        raise InputError(f"no stage {stage!r}", "stages: " + ", ".join(name for name, _ in stages))

    @property
    def source(self) -> str:
        """The emitted MLX source of the last call."""
        return self._entry().lowered.source

    def cost(self) -> Cost:
        """Arithmetic and memory traffic of one call, nothing fused."""
        return graph_cost(self.ir())

    def certificate(self) -> Certificate:
        """What the layout pass left of the permutes of the last call, where, and the bound on it.

        Raises   InputError   the program was compiled without the layout pass
        """
        names = [name for name, _ in self._entry().stages]
        if LAYOUT not in names:
            raise InputError(f"compiled without {LAYOUT}", f"passes: {', '.join(names[1:]) or 'none'}")
        return eliminate_layout_with_certificate(self._entry().stages[names.index(LAYOUT) - 1][1])[1]

    def explain(self) -> str:
        """One line per pass: how many nodes and permutes are left after it; then the layout certificate."""
        lines = []
        for name, graph in self._entry().stages:
            permutes = sum(node.op.name == "permute" for node in graph.nodes)
            lines.append(f"{name:<28} {len(graph):>6} nodes {permutes:>5} permutes")
        if any(name == LAYOUT for name, _ in self._entry().stages):
            lines.append(str(self.certificate()))
        return "\n".join(lines)

    def cache_info(self) -> CacheInfo:
        return CacheInfo(self._hits, self._misses, len(self._cache), CACHE_SIZE)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program of the last call to NAME.safetensors: its graph as traced, its weights, its trees of arguments.

        `bg.load` reads it back. Static keyword arguments are fixed to those of the last call.

        Raises   InputError   another suffix, no such folder, no call yet, or an argument that has no text
        """
        entry = self._entry()
        if entry.captured:
            raise InputError("save: the program reads values of an outer trace", "pass them as arguments")
        keys = _weight_keys(entry.graph)
        data = {n.op.key: n.op.data for n in entry.graph.nodes if isinstance(n.op, Weight)} | dict(self._weights)
        weights = {key: EVALUATOR.as_array(data[key]) for key in keys}
        write_program(path, Stored(entry.graph, weights, entry.arguments, entry.out_tree))


def load(path: str | os.PathLike[str], *, target: Target | str | None = None) -> Program:
    """The program that `program.save(path)` wrote, compiled for `target`; it takes what the saved one took.

    Raises   InputError   no such file, or it holds no program
             ParseError   its IR text does not parse
    """
    stored = read_program(path)
    chosen = _target(target)
    return Program(stored.graph, stored.weights, chosen, None, False, (), stored.arguments, stored.out_tree)


def compile(
    fn_or_graph: Callable[..., Any] | Graph, *, weights: Mapping[str, Any] | None = None, target: Target | str | None = None,
    passes: Sequence[str] | None = None, precision: str = "reassociate", checks: bool = False, verify: bool = False,
    static_argnames: Sequence[str] = (),
) -> Program:  # fmt: skip
    """Compile a function of arrays, or a graph, for MLX.

    weights           data for the graph's weights, by key
    target            a Target or its name; the default is the device MLX uses
    passes            names of the passes to run; None for all
    verify            on a signature's first call, run every stage in the interpreter and compare
    static_argnames   keyword arguments that are part of the signature

    Raises   InputError   an option that does not exist
    """
    if precision not in ("exact", "reassociate", "fast"):
        raise InputError(f"no precision {precision!r}", "precisions: exact, reassociate, fast")
    if precision != "reassociate":
        raise InputError(f"precision={precision!r} is not available", "leave it at 'reassociate'")
    if checks:
        raise InputError("checks=True is not available", "leave it out")
    return Program(fn_or_graph, weights, _target(target), passes, verify, tuple(static_argnames))


def _target(target: Target | str | None) -> Target:
    if isinstance(target, str) and target not in TARGETS:
        raise InputError(f"no target {target!r}", "targets: " + ", ".join(TARGETS))
    if target is None:
        target = default_target()
    chosen = TARGETS[target] if isinstance(target, str) else target
    if chosen.cache_limit_bytes:
        mx.set_cache_limit(chosen.cache_limit_bytes)  # MLX's default on CPU returns every large buffer to the system
    return chosen


def _weight_keys(graph: Graph) -> list[str]:
    params = [p.name or "" for p, kind in zip(graph.params, graph.kinds, strict=True) if kind is ParamKind.WEIGHT]
    return params + [n.op.key for n in graph.nodes if isinstance(n.op, Weight)]


def _arrays_among(stored: Arguments, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> tuple[Any, ...]:
    """The arrays among the arguments of a loaded program, if they are of the shape it was saved with."""
    leaves, tree = flatten((args, dict(sorted(kwargs.items()))))
    if not same_arguments(tree, stored.tree):
        raise InputError(f"@{name} takes other arguments", f"saved: {stored.tree}", f"given: {tree}")
    for leaf, path, fixed in zip(leaves, leaf_paths(tree), stored.leaves, strict=True):
        if fixed is not None and (type(leaf), repr(leaf)) != (type(fixed[0]), repr(fixed[0])):
            raise InputError(f"@{name}: argument {path} was saved as {fixed[0]!r}, given {leaf!r}", "static values are fixed")
    return tuple(leaf for leaf, fixed in zip(leaves, stored.leaves, strict=True) if fixed is None)


def _is_tensor(leaf: Any) -> bool:
    return not isinstance(leaf, STATIC) and EVALUATOR.is_array(leaf)


def _signature(tree: Any, arrays: list[mx.array]) -> Any:
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
        return dict, tuple(keys), tuple([_signature(tree[k], arrays) for k in keys])
    if isinstance(tree, list | tuple):
        return kind, tuple([_signature(item, arrays) for item in tree])
    if tree is None:
        return None
    if _is_tensor(tree):
        return _signature(EVALUATOR.as_array(tree), arrays)
    return kind, repr(tree) if isinstance(tree, float) else tree  # repr tells -0.0 from 0.0, and nan equals nan


def _names(fn: Any, tree: TreeDef, is_tensor: list[bool]) -> list[str | None]:
    """Names of the array leaves of (args, kwargs), as the user would say them: "params.conv1.w"."""
    names: list[str | None] = []
    for path, flag in zip(leaf_paths(tree), is_tensor, strict=True):
        if flag:
            kind, argument, *rest = path.split(".", 2)
            names.append(parameter_name(fn, int(argument), *rest) if kind == "0" else ".".join([argument, *rest]))
    return names


def _shaped(results: list[mx.array], tree: TreeDef | None) -> Any:
    if tree is not None:
        return unflatten(tree, results)
    return results[0] if len(results) == 1 else tuple(results)


def _check(graph: Graph, arrays: list[mx.array], kwargs: dict[str, Any]) -> None:
    params = [p for p, kind in zip(graph.params, graph.kinds, strict=True) if kind is not ParamKind.WEIGHT]
    if kwargs or len(arrays) != len(params):
        raise InputError(f"@{graph.name} takes {len(params)} arrays by position, got {len(arrays)}")
    for param, array in zip(params, arrays, strict=True):
        if array_type(array) != param.type:
            raise InputError(f"@{graph.name}: parameter {param!r} was given {array_type(array)}")


def _compare_stages(stages: list[tuple[str, Graph]], inputs: list[Any], bound: Mapping[str, Any]) -> None:
    """Run the interpreter on each stage. Raises BurngraphError: names the first stage that computes something else."""
    graph = stages[0][1]
    rest = iter(inputs)
    kinds = zip(graph.params, graph.kinds, strict=True)
    arrays = [bound[p.name or ""] if kind is ParamKind.WEIGHT else as_numpy(next(rest)) for p, kind in kinds]
    expected = interpret.run(graph, *arrays, weights=bound)
    for name, graph in stages[1:]:
        for i, (a, b) in enumerate(zip(expected, interpret.run(graph, *arrays, weights=bound), strict=True)):
            wide = np.complex128 if a.dtype.kind == "c" else np.float64
            if not np.allclose(a.astype(wide), b.astype(wide), rtol=1e-3, atol=1e-5, equal_nan=True):
                raise BurngraphError(f"pass {name} changed result {i}", "switch it off with passes=... and report it")


def as_numpy(x: Any) -> Any:
    """An MLX array as NumPy, bfloat16 included."""
    if x.dtype == mx.bfloat16:
        return np.array(x.astype(mx.float32)).astype(as_dtype("bf16").numpy)
    return np.array(x)
