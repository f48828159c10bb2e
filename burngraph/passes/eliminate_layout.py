"""Layout: run each node in the layout that leaves the fewest bytes to permute, over the whole graph at once.

    %1 = permute(%x, axes=(0, 3, 1, 2))
    %2 = relu(%1)                             %2 = relu(%x)
    %3 = permute(%2, axes=(0, 2, 3, 1))

`layout_labels` finds the ways to run each node, `layout_cut` chooses among them, and this file writes the graph down.
Exact: it moves entries and computes nothing else.
"""

from burngraph.ir.builder import Rewriter
from burngraph.ir.graph import Graph
from burngraph.ir.ops.custom import After
from burngraph.ir.ops.movement import Permute, Reshape
from burngraph.ir.permutation import (
    Perm,
    compose,
    identity,
    inverse,
    is_identity,
    moves_data,
)
from burngraph.ir.value import Value
from burngraph.passes.layout_certificate import Certificate, LayoutChange, Where
from burngraph.passes.layout_cut import Choice, LayoutCut
from burngraph.passes.layout_labels import WHOLE_BYTE, Key, LayoutProblem, Root
from burngraph.passes.merge_movement import merge_movement


def eliminate_layout(graph: Graph) -> Graph:
    """`graph` with the fewest bytes moved by permutes; parameters and results keep their layouts."""
    return eliminate_layout_with_certificate(graph)[0]


def eliminate_layout_with_certificate(graph: Graph) -> tuple[Graph, Certificate]:
    """The new graph, and what is left of its permutes and why."""
    problem = LayoutProblem(graph)
    choice = LayoutCut(problem).solve()
    emission = _Emission(problem, choice)
    new = merge_movement(emission.write())
    return new, Certificate(tuple(emission.changes), choice.cost / WHOLE_BYTE, choice.lower_bound / WHOLE_BYTE)


def layout_cost(graph: Graph) -> int:
    """What the layout changes of `graph` cost at best, in thousandths of bytes."""
    return LayoutCut(LayoutProblem(graph)).solve().cost


class _Emission:
    """Writes the graph with each node's chosen label; a layout change is made once per (root, layout)."""

    def __init__(self, problem: LayoutProblem, choice: Choice) -> None:
        self.problem = problem
        self.choice = choice
        self.rewriter = Rewriter(problem.graph)
        self.given: dict[Root, tuple[Value, Perm]] = {}
        self.copies: dict[tuple[Root, Key], tuple[Value, Perm]] = {}
        self.changes: list[LayoutChange] = []

    def write(self) -> Graph:
        rewriter, problem = self.rewriter, self.problem
        for param in problem.graph.params:
            self.given[problem.roots[param]] = (rewriter[param], identity(param.type.rank))
        for index, node in enumerate(problem.nodes):
            label = problem.labels[index][self.choice.labels[index]]
            rewriter.source = node.source
            operands: list[Value | None] = []
            for value, perm in zip(node.operands, label.needs, strict=True):
                if value is None:
                    operands.append(None)
                elif perm is None:
                    operands.append(self.given[problem.views[value][0]][0])
                else:
                    operands.append(self._in_layout(problem.views[value][0], perm, index))
            results = rewriter.several(label.op, *operands)
            for old, new, perm in zip(node.results, results, label.gives, strict=True):
                new.name = old.name
                self.given[problem.roots[old]] = (new, perm)
        rewriter.source = None
        wanted = [problem.views[value] for value in problem.graph.results]
        return rewriter.finish([self._in_layout(root, perm, ~k) for k, (root, perm) in enumerate(wanted)])

    def _in_layout(self, root: Root, layout: Perm, reader: int) -> Value:
        """permute(root, layout). `reader`: a node index, or ~k for the graph's result k."""
        value, given = self.given[root]
        if layout == given:
            return value
        key = root.key(layout)
        if key != root.key(given):
            if (root, key) not in self.copies:
                axes = compose(inverse(given), layout)
                self.copies[root, key] = (self._changed(value, axes), layout)
                if root.weight:
                    self.changes.append(self._certify(root, key, axes, reader))
            value, given = self.copies[root, key]
        return self._changed(value, compose(inverse(given), layout))

    def _changed(self, value: Value, axes: Perm) -> Value:
        if is_identity(axes):
            return value
        if moves_data(axes, value.shape):
            return self.rewriter(Permute(axes), value)
        return self.rewriter(Reshape(value.type.permuted(axes).shape), value)

    def _certify(self, root: Root, key: Key, axes: Perm, reader: int) -> LayoutChange:
        nodes = self.problem.nodes
        producer = None if root.producer is None else nodes[root.producer]
        consumer = nodes[reader] if reader >= 0 else None
        made_by = f"parameter {root.value.name or '?'}" if producer is None else producer.op.name
        source = consumer.source if consumer is not None else None
        return LayoutChange(
            where=self._where(root, key, reader),
            producer=made_by,
            consumer=f"result {~reader}" if consumer is None else consumer.op.name,
            axes=axes,
            bytes=min(root.value.type.bytes, root.copied_bytes),
            source=source or (None if producer is None else producer.source),
        )

    def _where(self, root: Root, key: Key, reader: int) -> Where:
        if not root.is_data:
            return "parameter"
        if self._only_a_parameter(root):
            return "entry"
        readers = [
            (index, position)
            for index, position in root.readers
            for perm in (self.problem.labels[index][self.choice.labels[index]].needs[position],)
            if perm is not None and root.key(perm) == key
        ]
        return "exit" if all(self._only_returned(index) for index, _ in readers) else "interior"

    def _only_a_parameter(self, root: Root) -> bool:
        """Whether the value is a parameter, or one seen through reshapes and waits."""
        while root.producer is not None:
            node = self.problem.nodes[root.producer]
            if not isinstance(node.op, Reshape | After):
                return False
            root = self.problem.views[node.values_read[0]][0]
        return True

    def _only_returned(self, index: int) -> bool:
        """Whether the node is a reshape that leads nowhere but to the graph's results."""
        pending = [index]
        while pending:
            node = self.problem.nodes[pending.pop()]
            if not isinstance(node.op, Reshape):
                return False
            pending.extend(i for i, _ in self.problem.roots[node.results[0]].readers)
        return True
