"""Chains of ops that only move entries, made shorter. Exact.

    %1 = permute(%x, axes=(1, 0))
    %2 = permute(%1, axes=(1, 0))            %x
    %3 = reshape(%y, shape=(6, 4))
    %4 = reshape(%3, shape=(24,))            %4 = reshape(%y, shape=(24,))

An op that gives its operand back unchanged is dropped, and a permute of what costs nothing to make (a splat, a
broadcast) is that thing made in the other layout.
"""

from burngraph.ir.builder import Rewriter
from burngraph.ir.graph import Graph, Node
from burngraph.ir.op import Op
from burngraph.ir.ops.broadcast import Broadcast
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.movement import Permute, Reshape, Slice
from burngraph.ir.permutation import compose, is_identity, moves_data
from burngraph.ir.value import Value

# Of these, a result of the operand's type is the operand itself, but for permute.
_MAY_BE_NO_OP = (Permute, Reshape, Slice, Broadcast, Cast)


def merge_movement(graph: Graph) -> Graph:
    """Merge permute after permute and reshape after reshape; drop no-ops; make splats and broadcasts as needed."""
    merging = _Merging(graph)
    for node in graph.nodes:
        merging.source = node.source
        if isinstance(node.op, _MAY_BE_NO_OP):
            (operand,) = merging.operands(node)
            assert operand is not None
            merging.replace(node, merging.moved(node, operand))
        else:
            merging.origin.update((value, merging.nodes[-1]) for value in merging.copy(node))
    return _without_unread_movement(merging.finish())


class _Merging(Rewriter):
    """origin: the node that made each value of the new graph, for what may be merged."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.origin: dict[Value, Node] = {}

    def moved(self, node: Node, x: Value) -> Value:
        """The value of node.op on `x`, through as few nodes as possible."""
        op = node.op
        if isinstance(op, Permute):
            return self._permuted(op, x)
        if x.type == node.results[0].type:
            return x
        if isinstance(op, Reshape):
            return self._reshaped(op, x)
        made = self.origin.get(x)
        if made is not None and isinstance(made.op, Splat) and not isinstance(op, Cast):
            return self._made(Splat(made.op.value, node.results[0].type))
        return self._made(op, x)

    def _permuted(self, op: Permute, x: Value) -> Value:
        made = self.origin.get(x)
        if made is not None and isinstance(made.op, Permute):
            (x,) = made.values_read
            return self._permuted(Permute(compose(made.op.axes, op.axes)), x)
        if is_identity(op.axes):
            return x
        if made is not None and isinstance(made.op, Splat | Broadcast):
            types = tuple(v.type for v in made.values_read)
            other = made.op.permuted(types, ~0, op.axes)
            if other.results == (op.axes,):
                moved = [
                    self._permuted(Permute(perm), v)
                    for v, perm in zip(made.values_read, other.operands, strict=True)
                    if perm is not None
                ]
                return self._made(other.op, *moved)
        if not moves_data(op.axes, x.shape):
            return self._reshaped(Reshape(x.type.permuted(op.axes).shape), x)
        return self._made(op, x)

    def _reshaped(self, op: Reshape, x: Value) -> Value:
        made = self.origin.get(x)
        if made is not None and isinstance(made.op, Reshape):
            (x,) = made.values_read
        if made is not None and isinstance(made.op, Splat):
            return self._made(Splat(made.op.value, x.type.with_shape(op.shape)))
        return x if x.shape == op.shape else self._made(op, x)

    def _made(self, op: Op, *operands: Value) -> Value:
        result = self(op, *operands)
        self.origin[result] = self.nodes[-1]
        return result


def _without_unread_movement(graph: Graph) -> Graph:
    """Drop the movements that merging has left without readers."""
    read = set(graph.results)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if isinstance(node.op, (*_MAY_BE_NO_OP, Splat)) and not read.intersection(node.results):
            continue
        kept.append(node)
        read.update(node.values_read)
    return Graph(graph.name, graph.params, kept[::-1], graph.results, graph.kinds)
