"""A layout of some values carried through whole graphs: what `permuted` of an op with nested graphs is made of."""

from collections.abc import Iterable, Mapping, Sequence

from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph, Node
from burngraph.ir.op import Permuted
from burngraph.ir.ops.movement import Permute
from burngraph.ir.permutation import Perm, identity, moves_data
from burngraph.ir.value import Value


class Layouts:
    """Permutations of the values of some graphs that follow from one of them; values not among `perms` stay as they are.

    links   sets of values that must have one permutation, such as a carried value at both ends of a step
    """

    def __init__(self, graphs: Sequence[Graph], links: Iterable[Sequence[Value]]) -> None:
        self.perms: dict[Value, Perm] = {}
        self.moved: dict[Node, Permuted] = {}
        self._linked: dict[Value, list[Value]] = {}
        for link in links:
            for value in link:
                self._linked.setdefault(value, []).extend(link)
        self._touching: dict[Value, list[tuple[Node, int]]] = {}
        for graph in graphs:
            for node in graph.nodes:
                for index, operand in enumerate(node.operands):
                    if operand is not None:
                        self._touching.setdefault(operand, []).append((node, index))
                for k, value in enumerate(node.results):
                    self._touching.setdefault(value, []).append((node, ~k))

    def spread(self, start: Value, perm: Perm) -> bool:
        """Give `start` this permutation, and all that depends on it theirs; False if an op on the way does not take it."""
        pending = [(start, perm)]
        while pending:
            value, perm = pending.pop()
            if value in self.perms:
                if self.perms[value] != perm:
                    return False
                continue
            self.perms[value] = perm
            pending += [(other, perm) for other in self._linked.get(value, ())]
            if perm == identity(len(perm)):
                continue
            for node, index in self._touching.get(value, ()):
                if node in self.moved:
                    continue  # it has given all its values their permutations already, this one among them
                found = node.op.permuted(node.operand_types, index, perm)
                if found is None:
                    return False
                self.moved[node] = found
                for operand, p in zip(node.operands, found.operands, strict=True):
                    if operand is not None and p is not None:
                        pending.append((operand, p))
                pending += zip(node.results, found.results, strict=True)
        return True

    def of(self, value: Value) -> Perm:
        return self.perms.get(value, identity(len(value.shape)))

    def rewritten(self, graph: Graph) -> Graph:
        """`graph` with every value in its layout."""
        builder = Builder(graph.name)
        now = {p: builder.param(p.type.permuted(self.of(p)), p.name) for p in graph.params}
        for node in graph.nodes:
            builder.source = node.source
            op = self.moved[node].op if node in self.moved else node.op
            now.update(zip(node.results, builder.several(op, *_now(now, node)), strict=True))
        return builder.build([now[v] for v in graph.results])


def permuted_bytes(graph: Graph) -> int:
    """What the permutes of `graph` and of the graphs nested in it move in one run of each."""
    total = 0
    for node in graph.nodes:
        if isinstance(node.op, Permute) and moves_data(node.op.axes, node.values_read[0].shape):
            total += node.results[0].type.bytes
        total += sum(permuted_bytes(nested) for nested in node.op.graphs())
    return total


def _now(now: Mapping[Value, Value], node: Node) -> list[Value | None]:
    return [None if v is None else now[v] for v in node.operands]
