"""Contract over the axes themselves instead of over a flattened axis, so that a layout can pass through.

    %1 = reshape(%x, shape=(8, 768))         f32[8,3,16,16] flattened
    %2 = matmul(%1, %w)                      %1 = reshape(%w, shape=(3, 16, 16, 10))
                                             %2 = dot(%x, %1, x_axes=(1, 2, 3), y_axes=(0, 1, 2))

Flattening fixes the order of axes, and so would cost a permute of the activation; a `dot` takes any order. The same
holds for the gradients of such a matmul, and for elementwise ops between the reshape and the matmul. Exact but for
the order of addition inside a contraction, which no op fixes.
"""

from collections.abc import Sequence

from burngraph.ir.builder import Rewriter
from burngraph.ir.graph import Graph, Node
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Select
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.elementwise import Elementwise
from burngraph.ir.ops.matmul import Dot, Matmul
from burngraph.ir.ops.movement import Permute, Reshape, reshape_blocks
from burngraph.ir.types import TensorType
from burngraph.ir.value import Value
from burngraph.passes.eliminate_layout import layout_cost
from burngraph.passes.simplify import drop_unread_nodes

Shape = tuple[int, ...]
ENTRYWISE = (Elementwise, Select, Cast)  # operands and result of one shape, which may be any


def factor_contractions(graph: Graph) -> Graph:
    """Rewrite matmuls of flattened values as `dot`; `graph` itself unless that lowers the cost of layout changes."""
    if not any(isinstance(node.op, Matmul | Dot) for node in graph.nodes):
        return graph
    factoring = _Factoring(graph)
    for node in graph.nodes:
        factoring.source = node.source
        factoring.visit(node)
    if not factoring.changed:
        return graph
    factored = drop_unread_nodes(factoring.finish())
    return factored if layout_cost(factored) < layout_cost(graph) else graph


class _Factoring(Rewriter):
    """unflattened: for a value of the new graph, the value of higher rank that it is a reshape of, merging axes.

    asked: for a value of the old graph, the shape into which a reader splits its axes.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.unflattened: dict[Value, Value] = {}
        self.origin: dict[Value, Node] = {}
        self.asked = _asked_shapes(graph)
        self.changed = False

    def visit(self, node: Node) -> None:
        if isinstance(node.op, Reshape):
            self._visit_reshape(node)
        elif isinstance(node.op, ENTRYWISE) and any(v in self.unflattened for v in self._present(node)):
            self._visit_elementwise(node)
        elif not (isinstance(node.op, Matmul | Dot) and self._visit_contraction(node, node.op)):
            self.copy(node)
            self.origin[self.nodes[-1].results[0]] = self.nodes[-1]

    def _present(self, node: Node) -> list[Value]:
        return [value for value in self.operands(node) if value is not None]

    def _visit_reshape(self, node: Node) -> None:
        (x,) = self._present(node)
        whole = self.unflattened.get(x, x)
        shape = node.results[0].shape
        if whole.shape == shape:
            self.replace(node, whole)
            return
        result = self(Reshape(shape), whole)
        self.origin[result] = self.nodes[-1]
        if merged_groups(whole.shape, shape) is not None:
            self.unflattened[result] = whole
        self.replace(node, result)

    def _visit_elementwise(self, node: Node) -> None:
        operands = self._present(node)
        shape = next(self.unflattened[v].shape for v in operands if v in self.unflattened)
        whole = self(node.op, *(self._split(v, shape) for v in operands))
        self.replace(node, self._flattened(whole, node.results[0].shape))

    def _visit_contraction(self, node: Node, op: Matmul | Dot) -> bool:
        """Emit a dot if an axis of an operand or of the result is a merged one. False leaves the product of matrices alone."""
        x, y = self._present(node)
        over_x, over_y = ((1,), (0,)) if isinstance(op, Matmul) else (op.x_axes, op.y_axes)
        if len(x.shape) != 2 or len(y.shape) != 2 or len(over_x) != 1:
            return False
        (at_x,), (at_y,) = over_x, over_y
        groups_x, groups_y = self._axis_groups(x), self._axis_groups(y)
        rows, inner_x = groups_x[1 - at_x], groups_x[at_x]
        columns, inner_y = groups_y[1 - at_y], groups_y[at_y]
        inner = max(inner_x, inner_y, key=len)
        asked = self.asked.get(node.results[0])
        groups = None if asked is None else merged_groups(asked, node.results[0].shape)
        if groups is not None:
            rows, columns = max(rows, groups[0], key=len), max(columns, groups[1], key=len)
        if len(rows) == len(inner) == len(columns) == 1:
            return False
        whole_x, x_axes = self._operand(x, (rows, inner) if at_x == 1 else (inner, rows), contracted=at_x)
        whole_y, y_axes = self._operand(y, (columns, inner) if at_y == 1 else (inner, columns), contracted=at_y)
        self.changed = True
        whole = self(Dot(x_axes, y_axes), whole_x, whole_y)
        self.replace(node, self._flattened(whole, node.results[0].shape))
        return True

    def _axis_groups(self, x: Value) -> tuple[Shape, Shape]:
        """The dims that each axis of a matrix was merged from; seen through a transposition."""
        made = self.origin.get(x)
        if made is not None and made.op == Permute((1, 0)):
            (x,) = made.values_read
            first, second = self._axis_groups(x)
            return second, first
        groups = merged_groups(self.unflattened[x].shape, x.shape) if x in self.unflattened else None
        return (groups[0], groups[1]) if groups is not None else ((x.shape[0],), (x.shape[1],))

    def _operand(self, x: Value, groups: tuple[Shape, Shape], contracted: int) -> tuple[Value, tuple[int, ...]]:
        """A matrix with its axes split into `groups`, and the axes that the group `contracted` has there.

        A transposition is not executed: its axes are only counted the other way around.
        """
        made = self.origin.get(x)
        if made is not None and made.op == Permute((1, 0)):
            (x,) = made.values_read
            return self._operand(x, (groups[1], groups[0]), 1 - contracted)
        start = len(groups[0]) if contracted else 0
        return self._split(x, groups[0] + groups[1]), tuple(range(start, start + len(groups[contracted])))

    def _split(self, x: Value, shape: Shape) -> Value:
        """reshape(x, shape), without a node where there is such a value already."""
        whole = self.unflattened.get(x, x)
        if whole.shape == shape:
            return whole
        made = self.origin.get(x)
        if made is not None and isinstance(made.op, Splat):
            return self(Splat(made.op.value, TensorType(x.type.dtype, shape)))
        return self(Reshape(shape), x)

    def _flattened(self, whole: Value, shape: Shape) -> Value:
        if whole.shape == shape:
            return whole
        result = self(Reshape(shape), whole)
        self.origin[result] = self.nodes[-1]
        self.unflattened[result] = whole
        return result


def merged_groups(whole: Shape, merged: Shape) -> list[Shape] | None:
    """The dims of `whole` that each axis of `merged` is made of; None if the reshape does more than merge axes."""
    if 0 in whole or len(whole) <= len(merged):
        return None
    groups: list[Shape] = []
    for axes, (*others,) in reshape_blocks(whole, merged):
        if len(others) != 1:
            return None
        groups.append(tuple(whole[a] for a in axes) or (1,))
    return groups if sum(map(len, groups)) == len(whole) else None


def _asked_shapes(graph: Graph) -> dict[Value, Shape]:
    """For each value that a reader splits, directly or behind elementwise ops, the shape it is split into."""
    asked: dict[Value, Shape] = {}
    for node in reversed(graph.nodes):
        wanted = _wanted_of_operands(node, asked)
        if wanted is not None:
            for value in node.values_read:
                asked.setdefault(value, wanted)
    return asked


def _wanted_of_operands(node: Node, asked: dict[Value, Shape]) -> Shape | None:
    if isinstance(node.op, ENTRYWISE):
        return asked.get(node.results[0])
    shapes: Sequence[Shape] = [value.shape for value in node.values_read]
    if isinstance(node.op, Reshape) and merged_groups(node.results[0].shape, shapes[0]) is not None:
        return node.results[0].shape
    return None
