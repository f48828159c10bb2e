"""Graphs that run for every example though only some need them, with their indices said to be used by those alone."""

from collections.abc import Sequence

from burngraph.ir.builder import Rewriter, rewrite
from burngraph.ir.graph import Graph, Node
from burngraph.ir.op import Op, operand_names
from burngraph.ir.ops.broadcast import Broadcast
from burngraph.ir.ops.call import Call
from burngraph.ir.ops.control import Control, Flags
from burngraph.ir.ops.custom import Checkpoint, CheckpointTangent, CustomJvp, CustomVjp
from burngraph.ir.ops.logic import LogicalAnd
from burngraph.ir.ops.used_where import UsedWhere, indexes, spoken_for, spoken_for_inside
from burngraph.ir.split import dependents
from burngraph.ir.types import BOOL, TensorType
from burngraph.ir.value import Emit, Value

BIT = TensorType(BOOL, ())


def mark_indices(graph: Graph, is_batched: Flags, given: Flags = ()) -> Graph | None:
    """`graph` with two parameters more, in front: whether an example uses its indices, and whether any does; both bool[].

        graph @f(%x, %i)                  graph @f(%used, %any_used, %x, %i)
          %0 = take(%x, %i)                 %0 = used_where(%i, %used, of="take", ...)
                                            %1 = take(%x, %0)

    Batched with the first of them, every index has a mask of the examples that use it. The second is for what all examples
    share, so that it stays shared. The numbers are the same, those of the other examples too: a derivative multiplies them by
    zeros. Composites that do not say where they index are decomposed. None if nothing in the graph indexes.

    is_batched   which parameters will be
    given        which ones a used_where outside speaks for, of the first
    """
    if not _any_indexes(graph):
        return None
    graph = open_composites(graph)
    return _Marker(graph, _chosen(graph, is_batched), _chosen(graph, given)).marked()


def _any_indexes(graph: Graph) -> bool:
    return any(indexes(node.op, node.operand_types) for node in graph.nodes)


def _chosen(graph: Graph, flags: Flags) -> list[Value]:
    return [p for p, flag in zip(graph.params, flags, strict=False) if flag]


class _Marker(Rewriter):
    """The walk of `mark_indices`.

    used, any_used   the two new parameters
    batched          the old values that depend on the example
    spoken           the old values that a used_where speaks for
    """

    def __init__(self, graph: Graph, batched: Sequence[Value], given: Sequence[Value]) -> None:
        super().__init__(graph)
        self.used, self.any_used = Value(BIT, "used"), Value(BIT, "any_used")
        self.batched, self.spoken = dependents(graph, batched), spoken_for(graph, given)

    def marked(self) -> Graph:
        for node in self.graph.nodes:
            self.source = node.source
            op, operands = self._with_masks(node)
            self.replace(node, self.several(op, *operands))
        new = self.finish()
        return Graph(new.name, [self.used, self.any_used, *new.params], new.nodes, new.results)

    def _with_masks(self, node: Node) -> tuple[Op, Sequence[Value | None]]:
        """The op that stands for that of `node`, and its operands."""
        op, operands = node.op, self.operands(node)
        used = self.used if any(v in self.batched for v in node.operands) else self.any_used
        if isinstance(op, UsedWhere):
            return op, [operands[0], self._both(operands[1], used)]
        if not indexes(op, node.operand_types):
            return op, operands
        if isinstance(op, Control):
            n, graphs = op.n_before, self._inside_control(op, node.operands)
            marked = op.with_constants(graphs, 2, tuple(i + 2 for i in op.linear))
            return marked, [*operands[:n], used, self.any_used, *operands[n:]]
        if isinstance(op, Call):
            batched = [v in self.batched for v in node.operands]
            return _call_with_masks(op, batched), [used, self.any_used, *operands]
        return op, self._said(node, operands, used)

    def _both(self, mask: Value | None, used: Value) -> Value:
        assert mask is not None, "used_where has a mask"
        new = tuple(range(len(mask.shape)))
        return self(LogicalAnd(), mask, self(Broadcast(mask.shape, new), used) if new else used)

    def _inside_control(self, op: Control, operands: Sequence[Value | None]) -> list[Graph]:
        """Its graphs, marked. Carried values count as batched if any operand is."""
        some, given = any(v in self.batched for v in operands), operands[op.n_before :]
        fixed = [i < op.count_constants() or op.is_sliced(i + op.n_before) for i in range(len(given))]
        batched = [v in self.batched if same else some for v, same in zip(given, fixed, strict=True)]
        spoken = spoken_for_inside(op, operands, self.spoken)
        return [_marked_or_not(graph, batched, [p in spoken for p in graph.params]) for graph in op.graphs()]

    def _said(self, node: Node, operands: Sequence[Value | None], used: Value) -> list[Value | None]:
        new = list(operands)
        for at, axes, lows, highs, by_column in node.op.index_operands(*node.operand_types):
            indices = operands[at]
            if indices is not None and node.operands[at] not in self.spoken:
                name = operand_names(type(node.op), len(new))[at]
                new[at] = self(UsedWhere(node.op.name, name, axes, lows, highs, by_column), indices, used)
        return new


def _marked_or_not(graph: Graph, is_batched: Flags, given: Flags = ()) -> Graph:
    """`graph` marked, or with two parameters that it does not read."""
    marked = mark_indices(graph, is_batched, given)
    if marked is not None:
        return marked
    return Graph(graph.name, [Value(BIT), Value(BIT), *graph.params], graph.nodes, graph.results)


def _call_with_masks(op: Call, batched: Flags) -> Call:
    """The call of graphs that take both masks first. Its operands are the user's, so that no used_where speaks for them."""
    graph = _marked_or_not(op.graph, batched)
    if isinstance(op, CustomVjp):  # the masks are the first residuals
        n = len(op.graph.results)
        forward = _marked_or_not(op.forward, batched)
        results = [*forward.results[:n], *forward.params[:2], *forward.results[n:]]
        forward = Graph(forward.name, forward.params, forward.nodes, results)
        return CustomVjp(graph, forward, _marked_or_not(op.backward, (True,) * len(op.backward.params)), op.n_fixed)
    if isinstance(op, CustomJvp):
        rest = len(op.rule.params) - len(batched)
        return CustomJvp(graph, _marked_or_not(op.rule, (*batched, *(True,) * rest)), op.n_fixed)
    if isinstance(op, CheckpointTangent):
        return CheckpointTangent(graph, op.n_primals + 2)
    return Checkpoint(graph) if isinstance(op, Checkpoint) else Call(graph)


def open_composites(graph: Graph) -> Graph:
    """`graph` with composites decomposed where that is what shows their indices."""
    while any(_must_open(node) for node in graph.nodes):
        graph = rewrite(graph, _decomposed)
    return graph


def _must_open(node: Node) -> bool:
    op = node.op
    if op.graphs() or not callable(getattr(op, "decompose", None)) or op.index_operands(*node.operand_types):
        return False
    return indexes(op, node.operand_types)


def _decomposed(emit: Emit, node: Node, operands: tuple[Value | None, ...]) -> Value | tuple[Value, ...] | None:
    return node.op.decompose(emit, *operands) if _must_open(node) else None
