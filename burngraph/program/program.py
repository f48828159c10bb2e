"""A Program: a function or graph that is compiled for each signature it is called with, and runs on MLX."""

import functools
import inspect
import os
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import mlx.core as mx

from burngraph.errors import InputError, TraceError
from burngraph.evaluator import EVALUATOR
from burngraph.frontend.recording import Trace, active_trace
from burngraph.frontend.trace import trace_graph
from burngraph.frontend.trees import TreeDef, flatten, unflatten
from burngraph.ir.graph import Graph, ParamKind
from burngraph.ir.op import Cost
from burngraph.ir.ops.composite import graph_cost
from burngraph.ir.ops.constant import Weight
from burngraph.ir.value import Value
from burngraph.lower_mlx.control import notes
from burngraph.lower_mlx.lower import array_type
from burngraph.passes.eliminate_layout import eliminate_layout_with_certificate
from burngraph.passes.layout_certificate import Certificate
from burngraph.passes.pipeline import LAYOUT
from burngraph.program.entry import NO_TREES, Entry, Options, Trees, build, has_data, weight_keys, weights_in
from burngraph.program.file import Arguments, Stored, write_program
from burngraph.program.retraces import Retraces, Traced
from burngraph.program.signature import arrays_among, is_array_leaf, leaf_names, signature
from burngraph.program.static_arguments import check_static, static_key, unhashable

CACHE_SIZE = 32  # compiled signatures kept per program


class CacheInfo(NamedTuple):
    hits: int
    misses: int
    size: int
    max_size: int


class Program:
    """A compiled function. Call it on arrays, or on trees of them; `lazy` builds the result and does not evaluate it.

    Called while a graph is traced, it is recorded there like the function itself, so that programs nest and differentiate.
    """

    def __init__(
        self, fn: Callable[..., Any] | Graph, weights: Mapping[str, Any] | None, options: Options, trees: Trees = NO_TREES
    ) -> None:
        self._fn, self._weights, self._options = fn, {} if weights is None else weights, options
        self._trees = trees  # of a graph that was traced from a function and saved
        self._cache: OrderedDict[Any, Entry] = OrderedDict()
        self._last: Entry | None = None
        self._hits = self._misses = 0
        self._bound: dict[int, tuple[weakref.ref[Any], Program]] = {}  # by id of the object that it is a method of
        if isinstance(fn, Graph):
            self.__name__ = fn.name
        else:
            functools.update_wrapper(self, fn, updated=())
        self.__name__ = getattr(self, "__name__", type(fn).__name__)
        self._retraces = Retraces(self.__name__)
        if isinstance(fn, Graph) and not options.verify and has_data(fn, self._weights):
            self._last = build(fn, self._weights, options, trees)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace = active_trace()
        if trace is not None:
            return self._recorded(trace, args, kwargs)
        results, entry = self._run(args, kwargs)
        mx.eval(results)
        if entry.checks:
            results = entry.raise_if_out_of_range(results)
        return _shaped(results, entry.trees.out_tree)

    def lazy(self, *args: Any, **kwargs: Any) -> Any:
        """The same result, not evaluated."""
        trace = active_trace()
        if trace is not None:
            return self._recorded(trace, args, kwargs)
        if self._options.checks:
            raise InputError("lazy evaluates nothing, so that checks=True has nothing to look at", "call the program itself")
        results, entry = self._run(args, kwargs)
        return _shaped(results, entry.trees.out_tree)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method: a program per object, which holds what the object's attributes were when it was traced."""
        if instance is None or isinstance(self._fn, Graph):
            return self
        key = id(instance)
        if key not in self._bound:
            try:
                reference = weakref.ref(instance, lambda _: self._bound.pop(key, None))
            except TypeError:
                raise InputError(f"a method of {type(instance).__name__}: __slots__ must have '__weakref__'") from None
            self._bound[key] = reference, Program(_weak_method(self._fn, reference), self._weights, self._options)
        return self._bound[key][1]

    def __repr__(self) -> str:
        types = "not traced yet"
        if self._last is not None:
            graph = self._last.graph
            params, results = (", ".join(str(v.type) for v in values) for values in (graph.params, graph.results))
            types = f"last ({params}) -> ({results})"
        return f"<burngraph.Program {self.__name__}: {types}>"

    def _recorded(self, trace: Trace, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The call as a part of `trace`. Weights of a graph are captured there, as their keys may stand for others."""
        if not isinstance(self._fn, Graph):
            return self._fn(*args, **kwargs)
        graph = self._fn
        if self._trees.arguments is not None:
            args, kwargs = arrays_among(self._trees.arguments, args, kwargs, graph.name), {}
        _check(graph, args, kwargs)
        inside = next((op for node in graph.nodes for each in node.op.graphs() for op in weights_in(each)), None)
        if inside is not None:  # its key may stand for another array here
            raise InputError(f"@{graph.name} has weight {inside.key!r} inside a nested graph", "make it an operand of the op")
        rest = iter(args)
        now: dict[Value, Any] = {}
        for param, kind in zip(graph.params, graph.kinds, strict=True):
            given = self._weight(param.name or "", None) if kind is ParamKind.WEIGHT else next(rest)
            now[param] = trace.value_of(given)
        for node in graph.nodes:
            if isinstance(node.op, Weight):
                now[node.results[0]] = trace.value_of(self._weight(node.op.key, node.op.data))
            else:
                results = trace.builder.several(node.op, *(None if v is None else now[v] for v in node.operands))
                now.update(zip(node.results, results, strict=True))
        return _shaped([trace.tracer(now[v]) for v in graph.results], self._trees.out_tree)

    def _weight(self, key: str, data: Any) -> Any:
        found = self._weights.get(key, data)
        if found is None:
            raise InputError(f"weight {key!r} has no data", "pass weights={key: array}")
        return found

    def specialise(self, *args: Any, **kwargs: Any) -> "Program":
        """Trace and lower for these arguments' signature without running; the program, for chaining."""
        self._select(args, kwargs)
        return self

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[mx.array], Entry]:
        arrays, entry = self._select(args, kwargs)
        fresh = entry.rebound(self._weights)
        if fresh is not entry:
            self._last = fresh
            self._cache.update((key, fresh) for key, cached in self._cache.items() if cached is entry)
        return fresh.run(arrays), fresh

    def _select(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[mx.array], Entry]:
        """The arrays among the arguments, and what their signature was compiled to."""
        if not isinstance(self._fn, Graph):
            return self._entry_for(args, kwargs)
        if self._trees.arguments is not None:
            args, kwargs = arrays_among(self._trees.arguments, args, kwargs, self._fn.name), {}
        arrays = [EVALUATOR.as_array(x) for x in args]
        _check(self._fn, arrays, kwargs)
        if self._last is None:
            self._last = build(self._fn, self._weights, self._options, self._trees, arrays)
        return arrays, self._last

    def _entry_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[mx.array], Entry]:
        arrays: list[mx.array] = []
        if kwargs:
            kwargs = dict(sorted(kwargs.items()))
        static = {k: v for k, v in kwargs.items() if k in self._options.static}
        check_static(static)
        traced = (args, {k: v for k, v in kwargs.items() if k not in static}) if kwargs else (args, {})
        key = (signature(traced, arrays), tuple((k, static_key(v)) for k, v in static.items()))
        try:
            found = self._cache.get(key)
        except TypeError:
            leaves, tree = flatten(traced)
            raise unhashable(static, leaves, leaf_names(self._fn, tree)) from None
        if found is not None:
            self._hits += 1
            self._cache.move_to_end(key)
        else:
            self._misses += 1
            leaves, tree = flatten(traced)
            found = self._trace(leaves, [is_array_leaf(leaf) for leaf in leaves], tree, static, arrays)
            self._cache[key] = found
            if len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
            types = iter(map(array_type, arrays))
            known = tuple(next(types) if is_array_leaf(leaf) else leaf for leaf in leaves)
            self._retraces.note(Traced((tree, key[1]), known), leaf_names(self._fn, tree))
        self._last = found
        return arrays, found

    def _trace(self, leaves: list[Any], is_tensor: list[bool], tree: TreeDef,
               static: dict[str, Any], arrays: list[mx.array]) -> Entry:  # fmt: skip
        fn = self._fn
        types = [array_type(a) for a in arrays]
        assert not isinstance(fn, Graph)

        @functools.wraps(fn)
        def on_tracers(*tracers: Any) -> Any:
            rest = iter(tracers)
            args, kwargs = unflatten(tree, [next(rest) if flag else x for x, flag in zip(leaves, is_tensor, strict=True)])
            return fn(*args, **kwargs, **static)

        names = [path for path, flag in zip(leaf_names(fn, tree), is_tensor, strict=True) if flag]
        name = getattr(fn, "__name__", "f")
        traced = trace_graph(on_tracers, types, name, param_names=names, holds_arrays=True)
        if traced.captured:  # as `specialise` in a trace may find; a call would be recorded there
            raise TraceError(f"@{name} uses values of an outer trace: {traced.captured}", "pass them as arguments")
        given = Arguments(tree, tuple(None if flag else (x,) for x, flag in zip(leaves, is_tensor, strict=True)))
        return build(traced.graph, self._weights, self._options, Trees(given, traced.out_tree), arrays)

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
        """The emitted MLX source of the signature called last, which repr(program) shows."""
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
        """One line per pass: how many nodes and permutes are left after it; then the layout certificate, then a line for
        each branch or loop that waits for its predicate, or moves bytes in every step."""
        lines = []
        for name, graph in self._entry().stages:
            permutes = sum(node.op.name == "permute" for node in graph.nodes)
            lines.append(f"{name:<28} {len(graph):>6} nodes {permutes:>5} permutes")
        if any(name == LAYOUT for name, _ in self._entry().stages):
            lines.append(str(self.certificate()))
        lines += notes(self.ir())
        return "\n".join(lines)

    def cache_info(self) -> CacheInfo:
        return CacheInfo(self._hits, self._misses, len(self._cache), CACHE_SIZE)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program of the last call to NAME.safetensors: its graph as traced, its weights, its trees of arguments.

        `bg.load` reads it back. Static keyword arguments are fixed to those of the last call.

        Raises   InputError   another suffix, no such folder, no call yet, or an argument that has no text
        """
        entry = self._entry()
        keys = weight_keys(entry.graph)
        data = {op.key: op.data for op in weights_in(entry.graph)} | dict(self._weights)
        weights = {key: EVALUATOR.as_array(data[key]) for key in keys}
        write_program(path, Stored(entry.graph, weights, entry.trees.arguments, entry.trees.out_tree))


def _weak_method(fn: Callable[..., Any], reference: weakref.ref[Any]) -> Callable[..., Any]:
    """`fn` as a method of the object behind `reference`, which it does not keep alive."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return fn(reference(), *args, **kwargs)

    functools.update_wrapper(method, fn)
    whole = inspect.signature(fn)
    method.__signature__ = whole.replace(parameters=list(whole.parameters.values())[1:])  # type: ignore[attr-defined]
    return method


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
