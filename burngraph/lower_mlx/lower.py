"""Graph to MLX source: two functions, `prepare(weights)` and `run(prepared, inputs)`, and their compiled form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mlx.core
import numpy as np

from burngraph.errors import LoweringError
from burngraph.ir.bounds import Bounds, bounds_inside, integer_bounds
from burngraph.ir.builder import infer_types, map_nested_graphs, rewrite
from burngraph.ir.collector import collector_paused
from burngraph.ir.empty import known_results
from burngraph.ir.graph import Graph, Node, ParamKind
from burngraph.ir.op import Op
from burngraph.ir.ops.broadcast import Broadcast
from burngraph.ir.ops.compare import Select
from burngraph.ir.ops.complex import Complex
from burngraph.ir.ops.composite import decomposition
from burngraph.ir.ops.constant import Splat, Weight
from burngraph.ir.ops.control_hoist import hoist_invariants
from burngraph.ir.ops.pointwise import Elementwise
from burngraph.ir.share import share_equal_nodes
from burngraph.ir.target import CPU, CUDA, METAL, Target
from burngraph.ir.types import DType, TensorType, as_dtype
from burngraph.ir.value import Value
from burngraph.lower_mlx import rules  # noqa: F401  (enters the rules of every family)
from burngraph.lower_mlx.control import NestedRule, may_return_operands, takes_slices
from burngraph.lower_mlx.elementwise import FOLDS_SCALARS
from burngraph.lower_mlx.gaps import refuse_dtypes, refuse_functions
from burngraph.lower_mlx.record import Recorded, RecordingMx, is_plain_name, literal, operand, statements
from burngraph.lower_mlx.table import find_rule, mlx_dtype

SCALAR_DTYPES = ("bool", "i32", "f32", "c64")  # what MLX makes of Python scalars where no array says otherwise


@dataclass(frozen=True)
class Lowered:
    """source: the emitted text; prepare and run: its functions; weights: what `prepare` reads, by key.

    shared    results of `run` that are the very object of an input, of a weight, or of an earlier result
    """

    source: str
    prepare: Callable[[Any], Any]
    run: Callable[[Any, Any], Any]
    weights: dict[str, TensorType]
    shared: tuple[int, ...]


def lower(graph: Graph, target: Target = CPU) -> Lowered:
    """Emit and compile. Deterministic in graph and target. Raises LoweringError for what has no form on the target."""
    with collector_paused():
        refuse_dtypes(graph, target)
        graph = inline_composites(graph, target)
        refuse_dtypes(graph, target)
        emitter = _Emitter(graph, target)
        source = emitter.source()
    scope: dict[str, Any] = {}
    try:
        exec(compile(source, f"<burngraph @{graph.name}>", "exec"), scope)
    except SyntaxError as error:
        way_out = "Python takes at most 20 loops and branches inside each other: nest fewer scan, cond and while_loop"
        raise LoweringError(f"@{graph.name}: {error.msg}", way_out) from None
    return Lowered(source, scope["prepare"], scope["run"], emitter.weights, emitter.shared_results())


def inline_composites(graph: Graph, target: Target) -> Graph:
    """Replace ops without a rule by their decompositions until every op has one, and what is known of empty arrays by that."""

    def rule(emit: Any, node: Node, operands: Any) -> Any:
        known = known_results(node.op, node.operand_types, [v.type for v in node.results])
        if known is not None:
            return tuple(emit(splat) for splat in known)
        return None if is_final(node) else node.op.decompose(emit, *operands)

    def is_final(node: Node) -> bool:
        return isinstance(node.op, Weight) or find_rule(node.op, target.name) is not None

    graph = rewrite(graph, rule)
    while not all(map(is_final, graph.nodes)):
        graph = rewrite(graph, rule)
    graph = hoist_invariants(map_nested_graphs(graph, lambda nested: inline_composites(nested, target)))
    return share_equal_nodes(graph)  # a composite and its derivative compute some things alike


def default_target() -> Target:
    """The target for the device MLX uses now."""
    if mlx.core.default_device() == mlx.core.Device(mlx.core.cpu):
        return CPU
    return CUDA if mlx.core.cuda.is_available() else METAL


def apply_eagerly(op: Op, *operands: Any) -> tuple[Any, ...]:
    """Run one op on MLX arrays, lazily, by the same rules."""
    if isinstance(op, Weight):
        return (op.data if isinstance(op.data, mlx.core.array) else from_numpy(op.reference()),)
    types = tuple(None if x is None else array_type(x) for x in operands)
    if any(type is not None and type.size == 0 for type in types):
        known = known_results(op, types, infer_types(op, types))
        if known is not None:
            return tuple(out for splat in known for out in apply_eagerly(splat))
    rule = find_rule(op, default_target().name)
    if isinstance(rule, NestedRule):
        return tuple(rule.apply(op, _run_eagerly, *operands))
    if rule is not None:
        out = rule(mlx.core, op, *operands)
        return out if isinstance(out, tuple) else (out,)
    return _run_eagerly(decomposition(op, types), [x for x in operands if x is not None])


def _run_eagerly(graph: Graph, arrays: Sequence[Any]) -> tuple[Any, ...]:
    now: dict[Value, Any] = dict(zip(graph.params, arrays, strict=True))
    for node in graph.nodes:
        results = apply_eagerly(node.op, *(None if v is None else now[v] for v in node.operands))
        now.update(zip(node.results, results, strict=True))
    return tuple(now[v] for v in graph.results)


def from_numpy(x: Any) -> mlx.core.array:
    """A NumPy array as an MLX array of the same dtype: MLX's own conversion makes float64 float32 and refuses bfloat16."""
    dtype = mlx_dtype(as_dtype(x.dtype))
    if any(stride < 0 for stride in x.strides):  # as x[::-1] has, which MLX refuses
        x = x.copy()
    return mlx.core.array(x.astype("float32")).astype(dtype) if dtype == mlx.core.bfloat16 else mlx.core.array(x, dtype=dtype)


def array_type(x: Any) -> Any:
    return TensorType(as_dtype(x.dtype), tuple(x.shape))


class _Emitter:
    """Names, folding, the split into prepare and run, and the text.

    around   the emitter of the graph that this one is nested in: one function, so one set of names
    given    names of values that are variables around it
    known    bounds of its integer parameters
    """

    def __init__(
        self, graph: Graph, target: Target, around: "_Emitter | None" = None, given: dict[Value, str] | None = None,
        known: dict[Value, Bounds] | None = None,
    ) -> None:  # fmt: skip
        self.graph, self.target = graph, target
        self.makers = graph.producers()
        self.bounds = integer_bounds(graph, known)
        self.taken: set[str] = set() if around is None else around.taken
        self.names = _names(graph, self.taken, given or {})
        self.temporaries: list[str] = [] if around is None else around.temporaries
        self.may_be_operands: set[Value] = set()  # results of control flow that may be the very object of an operand
        self.same_as: dict[Value, Value] = {}  # the result of a rule that gave its operand back -> that operand
        self.weights: dict[str, TensorType] = {}
        for param, kind in zip(graph.params, graph.kinds, strict=True):
            if kind is ParamKind.WEIGHT:
                self._read_weight(param.name or "", param.type)
        self.is_early = self._early()
        self.reads = {node: self._operands(node) for node in graph.nodes}
        needed = set(graph.results)
        for node in reversed(graph.nodes):
            if any(v in needed for v in node.results):
                needed.update(v for v, _ in self.reads[node] if isinstance(v, Value))
        self.nodes = [n for n in graph.nodes if any(v in needed for v in n.results)]

    def nested(self, node: Node, graph: Graph, given: dict[Value, str]) -> "_Emitter":
        """The emitter of a graph of `node`, written inside this one; `given` names its values that are variables here."""
        op: Any = node.op
        return _Emitter(graph, self.target, self, given, bounds_inside(op, node.values_read, self.bounds))

    def fresh(self, wanted: str) -> str:
        """A name that no variable of the function has."""
        name = next(n for n in (wanted, *(f"{wanted}_{k}" for k in range(1, len(self.taken) + 2))) if n not in self.taken)
        self.taken.add(name)
        return name

    def only_sliced(self, value: Value) -> bool:
        """Whether all that reads `value` are scans that take its slices, so that a list of those serves as well."""
        if value in self.graph.results:
            return False
        return all(
            takes_slices(n, value) and (n.results[0] in self.is_early) == (value in self.is_early) for n in self.readers[value]
        )

    @cached_property
    def readers(self) -> dict[Value, list[Node]]:
        return self.graph.readers()

    def values_read(self) -> set[Value]:
        return {v for node in self.nodes for v, _ in self.reads[node] if isinstance(v, Value)}

    def lines(self, outer: Sequence[Value]) -> list[str]:
        """The nodes of a nested graph; its results and what stands in variables of the graph around it are kept."""
        return self._body(self.nodes, [*self.graph.results, *outer])

    def _read_weight(self, key: str, type: TensorType) -> None:
        if self.weights.setdefault(key, type) != type:
            raise LoweringError(f"weight {key!r} is both {self.weights[key]} and {type}", "give each its own key")

    def _early(self) -> set[Value]:
        early = {p for p, k in zip(self.graph.params, self.graph.kinds, strict=True) if k is ParamKind.WEIGHT}
        for node in self.graph.nodes:
            if all(v in early for v in node.values_read):
                early.update(node.results)
        return early

    def _operands(self, node: Node) -> list[tuple[Any, Any]]:
        """Per operand: (value read, index into it) or (scalar, None)."""
        plain = [(v, None) for v in node.operands]
        if not isinstance(node.op, Elementwise | Select) or isinstance(node.op, Complex):  # its parts are stacked
            return plain
        folded = [self._folded(node, v) for v in node.operands]
        full = [i for i, (f, p) in enumerate(zip(folded, plain, strict=True)) if f == p]
        if not full:  # one operand must have the full shape
            folded[0] = plain[0]
        if isinstance(node.op, Select) and all(isinstance(read, Splat) for read, _ in folded[1:]):
            if node.results[0].type.dtype.name not in SCALAR_DTYPES:
                folded[1] = plain[1]
        return folded

    def _folded(self, node: Node, value: Any) -> tuple[Any, Any]:
        maker = self.makers.get(value)
        if maker is None:
            return value, None
        if isinstance(maker.op, Broadcast) and len(node.operands) > 1:
            axes, rank = maker.op.axes, len(maker.op.shape)
            first = next((a for a in range(rank) if a not in axes), rank)
            kept = range(first, rank)
            index = tuple(None if a in axes else slice(None) for a in kept)
            return maker.operands[0], (index if None in index else ())
        if isinstance(maker.op, Splat) and isinstance(node.op, FOLDS_SCALARS) and _is_exact(maker.op):
            if not (isinstance(node.op, Select) and value is node.operands[0]):
                return maker.op, None
        return value, None

    def _line(self, node: Node) -> list[str]:
        if isinstance(node.op, Weight):
            self._read_weight(node.op.key, node.op.type)
            return [f"{self.names[node.results[0]]} = weights[{literal(node.op.key)}]"]
        rule = find_rule(node.op, self.target.name)
        assert rule is not None, "composites were inlined"
        if isinstance(rule, NestedRule):
            self.may_be_operands.update(node.results[: may_return_operands(node.op)])
            return rule.write(self, node)
        operands = [self._recorded(v, i, o) for (v, i), o in zip(self.reads[node], node.operands, strict=True)]
        out = rule(RecordingMx(), node.op, *operands)
        pieces = list(out) if isinstance(out, tuple) else [out]
        refuse_functions(node, pieces, self.target)
        for result, piece in zip(node.results, pieces, strict=True):
            for (read, _), given in zip(self.reads[node], operands, strict=True):
                if piece is given and isinstance(read, Value):
                    self.same_as[result] = self.same_as.get(read, read)
        before = len(self.temporaries)
        lines = statements([self.names[v] for v in node.results], pieces, self.temporaries)
        if len(self.temporaries) > before:
            lines.append("del " + ", ".join(self.temporaries[before:]))
        return lines

    def _recorded(self, read: Any, index: Any, original: Any) -> Any:
        if read is None:
            return None
        if isinstance(read, Splat):
            value = read.type.dtype.numpy.type(read.value).item()
            return shortest(value, read.type.dtype) if isinstance(value, float) else value
        base = operand(self.names[read], read.shape, mlx_dtype(read.type.dtype), self.bounds.get(read))
        if not index:
            return base
        piece = base[index]
        return Recorded(
            piece.parts, shape=original.shape, dtype=mlx_dtype(original.type.dtype), bounds=self.bounds.get(original)
        )

    def source(self) -> str:
        early_nodes = [n for n in self.nodes if all(v in self.is_early for v in n.results) and not isinstance(n.op, Splat)]
        early_reads = {v for n in early_nodes for v, _ in self.reads[n] if isinstance(v, Value)}
        splats = [n for n in self.nodes if isinstance(n.op, Splat) and n.results[0] in early_reads]
        is_early_node = set(early_nodes)
        late = [n for n in self.nodes if n not in is_early_node]
        others = {v for n in late for v, _ in self.reads[n] if isinstance(v, Value)} | set(self.graph.results)
        late = [n for n in late if not isinstance(n.op, Splat) or n.results[0] in others]
        late_reads = {v for n in late for v, _ in self.reads[n] if isinstance(v, Value)} | set(self.graph.results)
        made_early = [v for n in early_nodes for v in n.results]
        weights = [p for p, k in zip(self.graph.params, self.graph.kinds, strict=True) if k is ParamKind.WEIGHT]
        prepared = [v for v in [*weights, *made_early] if v in late_reads]
        head = [f"{self.names[p]} = weights[{literal(p.name or '')}]" for p in weights]
        first = self._body(splats + early_nodes if early_nodes else [], prepared)
        inputs = [p for p, k in zip(self.graph.params, self.graph.kinds, strict=True) if k is not ParamKind.WEIGHT]
        second = self._body(late, list(self.graph.results))
        lines = [
            "import mlx.core as mx",
            "",
            "",
            "def prepare(weights):",
            *_indent(head + first + [self._return(prepared)]),
        ]
        lines += ["", "", "def run(prepared, inputs):"]
        lines += _indent([self._unpack(prepared, "prepared"), self._unpack(inputs, "inputs"), *second])
        lines += _indent([self._return(list(self.graph.results))])
        return "\n".join(line for line in lines if line != "    ") + "\n"

    def shared_results(self) -> tuple[int, ...]:
        """Positions of results that are objects the caller has already; to be asked after `source`."""
        known = {*self.graph.params, *self.is_early}
        shared: list[int] = []
        for position, result in enumerate(self.graph.results):
            value = self.same_as.get(result, result)
            if value in known or value in self.may_be_operands:
                shared.append(position)
            known.add(value)
        return tuple(shared)

    def _unpack(self, values: list[Value], name: str) -> str:
        return f"({''.join(self.names[v] + ', ' for v in values).rstrip()}) = {name}" if values else ""

    def _return(self, values: list[Value]) -> str:
        return f"return ({''.join(self.names[v] + ', ' for v in values).rstrip()})"

    def _body(self, nodes: list[Node], kept: list[Value]) -> list[str]:
        last: dict[Value, Node] = {}
        for node in nodes:
            for v in (*node.results, *(v for v, _ in self.reads[node] if isinstance(v, Value))):
                last[v] = node
        for v in kept:
            last.pop(v, None)
        ends: dict[Node, list[str]] = {}
        for v, node in last.items():
            ends.setdefault(node, []).append(self.names[v])
        lines: list[str] = []
        for node in nodes:
            lines += self._line(node)
            if node in ends:
                lines.append("del " + ", ".join(ends[node]))
        return lines


def _indent(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def _is_exact(op: Splat) -> bool:
    """Whether a Python literal next to an array of that dtype means exactly this value."""
    if op.type.dtype.is_integer:
        return abs(int(op.value.real)) < 2**31
    return op.type.dtype.name in ("f16", "bf16", "f32") or float(op.value.real) in (0.0, 1.0, 0.5, 2.0, -1.0)


def shortest(value: float, dtype: DType) -> float:
    """The float with the fewest digits that is `value` in `dtype`, also if it is rounded to f32 on the way.

    `value` itself if it is short, as 1 / 4096 is.
    """
    if len(repr(abs(value))) <= 14:
        return value
    of_dtype = dtype.numpy.type
    with np.errstate(over="ignore"):  # few digits of the largest number are too much for the dtype
        for digits in range(1, 17):
            short = float(f"{value:.{digits}g}")
            if of_dtype(short) == value and of_dtype(np.float32(short) if dtype.bytes < 4 else short) == value:
                return short if len(repr(short)) < len(repr(value)) else value
    return value


def _names(graph: Graph, taken: set[str], given: dict[Value, str]) -> dict[Value, str]:
    """A variable for each value that is not `given` one; `taken` grows by them."""
    names = dict(given)
    for value in graph.values():
        if value in names:
            continue
        name = (value.name or "").replace(".", "_")  # params.conv1.w is read as params_conv1_w
        if not is_plain_name(name) or name in taken:
            name = f"v{len(taken)}"
        taken.add(name)
        names[value] = name
    return names
