"""Building graphs: one op at a time (Builder), or from another graph in one forward walk (Rewriter)."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from burngraph.errors import BurngraphError, ShapeError
from burngraph.ir.graph import Graph, Node, ParamKind, Source
from burngraph.ir.op import Op, attribute_names, check_operand_count
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value

GREATEST_DIM = 2**31 - 1  # so that i32 holds every index, and MLX every shape


def infer_types(op: Op, operand_types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
    """Result types, always as a tuple. Raises ShapeError for operands that are missing or too many, and what `op.infer` raises.

    An op is a value, which answers the same for the same types; as each pass and each verification asks, it keeps its answer.
    """
    given = tuple(operand_types)
    known = getattr(op, "_inferred", None)
    if known is not None and known[0] == given:
        return known[1]  # type: ignore[no-any-return]
    check_operand_count(op, given)
    _plain_integers(op)
    inferred = op.infer(*given)
    types: tuple[TensorType, ...] = inferred if isinstance(inferred, tuple) else (inferred,)
    for type in types:
        if type.shape and not (min(type.shape) >= 0 and max(type.shape) <= GREATEST_DIM):
            raise ShapeError(f"{op.name}: a result would be {type}, and dims are 0 to {GREATEST_DIM}", *map(str, given))
    object.__setattr__(op, "_inferred", (given, types))
    return types


def _plain_integers(op: Op) -> None:
    """NumPy's integers among the attributes become Python's, which text and emitted source are made of."""
    for name in attribute_names(type(op)):
        value = getattr(op, name)
        if isinstance(value, np.integer):
            object.__setattr__(op, name, int(value))
        elif isinstance(value, tuple) and any(isinstance(item, np.integer) for item in value):
            object.__setattr__(op, name, tuple(int(item) if isinstance(item, np.integer) else item for item in value))


class Builder(Emit):
    """Records nodes and gives the finished Graph.

    source   attached to each node made from now on; rewrites set it to the source of the node being rewritten
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.params: list[Value] = []
        self.kinds: list[ParamKind] = []
        self.nodes: list[Node] = []
        self.source: Source | None = None

    def param(self, type: TensorType, name: str | None = None, kind: ParamKind = ParamKind.DATA) -> Value:
        value = Value(type, name)
        self.params.append(value)
        self.kinds.append(kind)
        return value

    def several(self, op: Op, *operands: Value | None) -> tuple[Value, ...]:
        try:
            types = infer_types(op, [None if v is None else v.type for v in operands])
        except BurngraphError as error:
            where = f"in @{self.name}" + (f", from {self.source}" if self.source else "")
            raise error.add(where) from None
        node = Node(op, operands, tuple(map(Value, types)), self.source)
        self.nodes.append(node)
        return node.results

    def build(self, results: Sequence[Value]) -> Graph:
        return Graph(self.name, self.params, self.nodes, results, self.kinds)


Rule = Callable[[Emit, Node, tuple[Value | None, ...]], Value | tuple[Value, ...] | None]


class Rewriter(Builder):
    """Builds the next graph from `graph`: parameters are copied at once, then nodes are copied or replaced in order.

    `self[value]` is what an old value has become.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph.name)
        self.graph = graph
        self.now: dict[Value, Value] = {}
        for old, kind in zip(graph.params, graph.kinds, strict=True):
            self.now[old] = self.param(old.type, old.name, kind)

    def __getitem__(self, old: Value) -> Value:
        return self.now[old]

    def operands(self, node: Node) -> tuple[Value | None, ...]:
        """What the operands of an old node have become."""
        now = self.now
        return tuple(None if value is None else now[value] for value in node.operands)

    def copy(self, node: Node) -> tuple[Value, ...]:
        """Repeat `node` on what its operands have become; types are taken over, names too."""
        copied = Node(node.op, self.operands(node), tuple(Value(v.type, v.name) for v in node.results), node.source)
        self.nodes.append(copied)
        self.now.update(zip(node.results, copied.results, strict=True))
        return copied.results

    def replace(self, node: Node, results: Value | Sequence[Value]) -> None:
        """Say what stands for the results of `node` from here on."""
        new = (results,) if isinstance(results, Value) else tuple(results)
        for old, value in zip(node.results, new, strict=True):
            if value.name is None and old.name is not None:
                value.name = old.name
            self.now[old] = value

    def finish(self, results: Sequence[Value] | None = None) -> Graph:
        """The new graph; its results are what the old results have become unless given."""
        return self.build([self.now[v] for v in self.graph.results] if results is None else results)


def rewrite(graph: Graph, rule: Rule) -> Graph:
    """One forward walk. `rule(emit, node, operands)` gives the replacement of a node's results, or None to keep it."""
    rewriter = Rewriter(graph)
    for node in graph.nodes:
        rewriter.source = node.source
        new = rule(rewriter, node, rewriter.operands(node))
        if new is None:
            rewriter.copy(node)
        else:
            rewriter.replace(node, new)
    return rewriter.finish()


def map_nested_graphs(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """`graph` with `change`, which keeps types, applied once to each graph that its nodes hold."""
    changed: dict[int, Graph] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        nested = node.op.graphs()
        for each in nested:
            if id(each) not in changed:
                changed[id(each)] = change(each)
        op = node.op.with_graphs([changed[id(each)] for each in nested]) if nested else node.op
        nodes.append(Node(op, node.operands, node.results, node.source) if nested else node)
    return Graph(graph.name, graph.params, nodes, graph.results, graph.kinds) if changed else graph


def inline(emit: Emit, graph: Graph, operands: Sequence[Value | None]) -> tuple[Value, ...]:
    """Apply the nodes of `graph` to `operands` through `emit`; the values that stand for its results."""
    now: Mapping[Value, Value | None] = {}
    now = dict(zip(graph.params, operands, strict=True))
    for node in graph.nodes:
        if isinstance(emit, Builder):
            emit.source = node.source
        results = emit.several(node.op, *(None if v is None else now[v] for v in node.operands))
        now.update(zip(node.results, results, strict=True))
    return tuple(_present(now[value]) for value in graph.results)


def _present(value: Value | None) -> Value:
    assert value is not None, "a graph's results are never absent operands"
    return value
