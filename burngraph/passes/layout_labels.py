"""The ways to run each node of a graph, by the layouts of its operands and results: what the layout cut chooses from.

Permutes are contracted out first. Every value is then a permutation of a *root*: a parameter, or the result of a node
that is not a permute. A *layout* of a root r is a permutation L, standing for permute(r, L); a *label* of a node is
one way to run it, and says in which layout it gives each root that it makes, and in which it needs each root that it
reads.
"""

from collections import deque
from dataclasses import dataclass

from burngraph.errors import BurngraphError
from burngraph.ir.builder import infer_types
from burngraph.ir.graph import Graph, Node, ParamKind
from burngraph.ir.op import FREE, Op, Permuted, positions_read
from burngraph.ir.ops.matmul import Dot
from burngraph.ir.ops.movement import Permute
from burngraph.ir.permutation import Perm, compose, identity, inverse
from burngraph.ir.value import Value

MAX_LABELS = 6  # per node; residual networks need 2, attention heads 4
MAX_LAYOUTS = 6  # per root

WHOLE_BYTE = 1000  # the cost of a byte that moves in every call; one that `prepare` moves once costs 1

Key = tuple[int, ...]  # a layout without its axes of size 1: equal keys hold equal bytes in equal order


def layout_key(layout: Perm, shape: tuple[int, ...]) -> Key:
    return tuple(axis for axis in layout if shape[axis] != 1)


@dataclass(frozen=True, eq=False)
class Label:
    """One way to run a node.

    needs   layout of the root of each operand; None for an absent one, and for one that is only waited for: any will do
    gives   layout of each result
    keys    of needs and gives: what the label's cost depends on; of two labels with one `keys` the first is kept
    """

    op: Op
    needs: tuple[Perm | None, ...]
    gives: tuple[Perm, ...]
    keys: tuple[Key | None, ...]


class Root:
    """A parameter, or a result of a node that is no permute.

    producer   index of the node that makes it; None for a parameter
    readers    (node index, operand position)
    needed     layouts in which the graph returns it, each with the result's position
    copied_bytes  what a change of its layout moves
    weight     cost of changing its layout once
    """

    __slots__ = ("copied_bytes", "is_data", "needed", "producer", "readers", "value", "weight")

    def __init__(self, value: Value, producer: int | None, is_data: bool, copied_bytes: int) -> None:
        self.value = value
        self.producer = producer
        self.is_data = is_data
        self.readers: list[tuple[int, int]] = []
        self.needed: list[tuple[Perm, int]] = []
        self.copied_bytes = copied_bytes
        self.weight = copied_bytes * (WHOLE_BYTE if is_data else 1)

    def key(self, layout: Perm) -> Key:
        return layout_key(layout, self.value.shape)


class LayoutProblem:
    """A graph as the layout cut sees it.

    nodes    the nodes that are no permutes, in order
    roots    by root value, in order of definition
    views    every value as (root, permutation): value = permute(root, permutation)
    labels   per node; the first is the node as written
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.roots: dict[Value, Root] = {}
        self.views: dict[Value, tuple[Root, Perm]] = {}
        for param, kind in zip(graph.params, graph.kinds, strict=True):
            self._add_root(Root(param, None, kind is not ParamKind.WEIGHT, param.type.bytes))
        for node in graph.nodes:
            self._add_node(node)
        for position, value in enumerate(graph.results):
            root, perm = self.views[value]
            root.needed.append((perm, position))
        self._operand_types = [node.operand_types for node in self.nodes]
        self.labels = [[self._as_written(node)] for node in self.nodes]
        self._answered: list[dict[Permuted, Label | None]] = [{} for _ in self.nodes]
        self._keys = [{labels[0].keys} for labels in self.labels]
        self._propagate()

    def _add_root(self, root: Root) -> None:
        self.roots[root.value] = root
        self.views[root.value] = (root, identity(root.value.type.rank))

    def _add_node(self, node: Node) -> None:
        if isinstance(node.op, Permute):
            (operand,) = node.values_read
            root, perm = self.views[operand]
            self.views[node.results[0]] = (root, compose(perm, node.op.axes))
            return
        index = len(self.nodes)
        self.nodes.append(node)
        is_data = False
        for position in positions_read(node.op, len(node.operands)):
            value = node.operands[position]
            if value is not None:
                root = self.views[value][0]
                root.readers.append((index, position))
                is_data = is_data or root.is_data
        read = sum(value.type.bytes for value in node.values_read)
        is_free = node.op.cost(*node.operand_types) == FREE  # a splat or a broadcast is made anew instead of copied
        for value in node.results:
            self._add_root(Root(value, index, is_data, min(read, value.type.bytes) if is_free else value.type.bytes))

    def _as_written(self, node: Node) -> Label:
        read = positions_read(node.op, len(node.operands))
        needs = tuple(None if v is None or i not in read else self.views[v][1] for i, v in enumerate(node.operands))
        return self._label(node, node.op, needs, tuple(identity(v.type.rank) for v in node.results))

    def _label(self, node: Node, op: Op, needs: tuple[Perm | None, ...], gives: tuple[Perm, ...]) -> Label:
        keys = [
            None if value is None or perm is None else self.views[value][0].key(perm)
            for value, perm in zip(node.operands, needs, strict=True)
        ]
        keys += [self.roots[v].key(g) for v, g in zip(node.results, gives, strict=True)]
        return Label(op, needs, gives, tuple(keys))

    def _propagate(self) -> None:
        """Offer each layout that a label gives or needs to the other nodes at that root, until nothing new appears."""
        seen: dict[Root, set[Key]] = {root: set() for root in self.roots.values()}
        pending: deque[tuple[Root, Perm]] = deque()

        def offer(root: Root, layout: Perm) -> None:
            key = root.key(layout)
            if key not in seen[root] and len(seen[root]) < MAX_LAYOUTS:
                seen[root].add(key)
                pending.append((root, layout))

        def offer_all(index: int, label: Label) -> None:
            node = self.nodes[index]
            for value, perm in zip(node.operands, label.needs, strict=True):
                if value is not None and perm is not None:
                    offer(self.views[value][0], perm)
            for value, perm in zip(node.results, label.gives, strict=True):
                offer(self.roots[value], perm)

        for root in self.roots.values():
            for perm, _ in root.needed:
                offer(root, perm)
        for index, (first,) in enumerate(self.labels):
            offer_all(index, first)
        while pending:
            root, layout = pending.popleft()
            for index, label in self._answers(root, layout):
                if label.keys not in self._keys[index] and len(self.labels[index]) < MAX_LABELS:
                    self._keys[index].add(label.keys)
                    self.labels[index].append(label)
                    offer_all(index, label)

    def _answers(self, root: Root, layout: Perm) -> list[tuple[int, Label]]:
        """The labels with which the nodes at `root` answer `layout`."""
        found: list[tuple[int, Label]] = []
        if root.producer is not None:
            which = self.nodes[root.producer].results.index(root.value)
            label = self._ask(root.producer, ~which, layout)
            if label is not None and label.gives[which] == layout:
                found.append((root.producer, label))
        for index, position in root.readers:
            value = self.nodes[index].operands[position]
            assert value is not None
            perm = compose(inverse(self.views[value][1]), layout)
            label = self._ask(index, position, perm)
            if label is not None and label.needs[position] == layout:
                found.append((index, label))
        return found

    def _ask(self, index: int, which: int, perm: Perm) -> Label | None:
        """The node run so that operand `which` (or result ~which) is permuted by `perm`, if its op can do that."""
        node = self.nodes[index]
        answer = node.op.permuted(self._operand_types[index], which, perm)
        if answer is None:
            return None
        known = self._answered[index]
        if answer not in known:
            known[answer] = self._answer_label(node, answer)
        return known[answer]

    def _answer_label(self, node: Node, answer: Permuted) -> Label | None:
        if self._hides_a_copy(node, answer.op):
            return None
        needs: list[Perm | None] = []
        for value, given in zip(node.operands, answer.operands, strict=True):
            needs.append(None if value is None or given is None else compose(self.views[value][1], given))
        self._check(node, answer.op, answer.operands, answer.results)
        return self._label(node, answer.op, tuple(needs), answer.results)

    def _hides_a_copy(self, node: Node, op: Op) -> bool:
        """Whether a contraction would have to permute an operand that depends on data before it can multiply.

        It need not if the contracted axes are the first or the last ones of that operand, in one order in both.
        """
        if not isinstance(op, Dot):
            return False
        on_data = [value is not None and self.views[value][0].is_data for value in node.operands]
        order = sorted(range(len(op.x_axes)), key=lambda k: op.x_axes[k])
        if all(on_data) and [op.y_axes[k] for k in order] != sorted(op.y_axes):
            return True
        for value, axes, matters in zip(node.values_read, (op.x_axes, op.y_axes), on_data, strict=True):
            rank, n = value.type.rank, len(axes)
            if matters and sorted(axes) not in (list(range(n)), list(range(rank - n, rank))):
                return True
        return False

    def _check(self, node: Node, op: Op, operands: tuple[Perm | None, ...], results: tuple[Perm, ...]) -> None:
        pairs = zip(node.operand_types, operands, strict=True)
        types = [t if t is None or p is None else t.permuted(p) for t, p in pairs]  # in any order if only waited for
        wanted = tuple(v.type.permuted(p) for v, p in zip(node.results, results, strict=True))
        if infer_types(op, types) != wanted:
            raise BurngraphError(
                f"{node.op.name}: `permuted` answers with an op of another result type",
                f"operands permuted by {operands}, results by {results}; wanted {', '.join(map(str, wanted))}",
                f"correct `permuted` on class {type(node.op).__name__}",
            )
