"""The choice of one label per node with the fewest bytes of layout changes: minimum cuts over the layout problem.

The cost of an assignment: for each root r and each layout L in which some reader needs r while its producer gives
another, the bytes of r, once, however many readers share the copy. In one cut each node of a component chooses
between two labels (its binary variable), and a pay-once term is an auxiliary node:

    producer --bytes--> copy --infinite--> each reader

The capacities are cut where the producer is on one side and any reader that needs the other layout on the other. If
all nodes of a component have at most two labels and the families agree along every edge, one cut is the exact
optimum. Otherwise the cuts are expansion moves: each node keeps its label or joins one family of labels, and only
moves that lower the cost count.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from burngraph.passes.layout_labels import Key, LayoutProblem, Root

TIE = 1 << 40  # bytes count first; of equal cuts, the one nearer to the program's inputs and outputs
MAX_SWEEPS = 4

Family = dict[int, int]  # node index -> label: labels that agree along the edges between those nodes


@dataclass(frozen=True)
class Choice:
    """labels: per node, an index into problem.labels. cost, lower_bound: in thousandths of bytes."""

    labels: tuple[int, ...]
    cost: int
    lower_bound: int


class LayoutCut:
    """Solves one layout problem."""

    def __init__(self, problem: LayoutProblem) -> None:
        self.problem = problem
        self.roots = list(problem.roots.values())
        self.choice = [0] * len(problem.nodes)
        self.touching: list[list[Root]] = [[] for _ in problem.nodes]
        self._tabulate()
        self.sharing: dict[tuple[Root, Key], list[tuple[int, int]]] = {}
        for index, labels in enumerate(problem.labels):
            for label in range(len(labels)) if len(labels) > 1 else ():
                for at in self._keys_at(index, label):
                    self.sharing.setdefault(at, []).append((index, label))
        self._count_depths()

    def _tabulate(self) -> None:
        """gives[root][label of producer] and needs[root][(reader, label)]: the keys that the costs compare."""
        problem = self.problem
        self.gives: dict[Root, list[Key]] = {}
        self.needs: dict[Root, dict[int, list[frozenset[Key]]]] = {}
        self.fixed_needs: dict[Root, frozenset[Key]] = {}
        for root in self.roots:
            rank = root.value.type.rank
            if root.producer is None:
                self.gives[root] = [root.key(tuple(range(rank)))]
            else:
                which = problem.nodes[root.producer].results.index(root.value)
                self.gives[root] = [root.key(label.gives[which]) for label in problem.labels[root.producer]]
                self.touching[root.producer].append(root)
            positions: dict[int, list[int]] = {}
            for index, position in root.readers:
                positions.setdefault(index, []).append(position)
            self.needs[root] = {}
            for index, at in positions.items():
                self.needs[root][index] = [
                    frozenset(root.key(perm) for perm in (label.needs[p] for p in at) if perm is not None)
                    for label in problem.labels[index]
                ]
                self.touching[index].append(root)
            self.fixed_needs[root] = frozenset(root.key(perm) for perm, _ in root.needed)

    def _count_depths(self) -> None:
        """rank[root]: steps to the nearer end of the program, to choose among equal cuts without regard to spelling."""
        problem = self.problem
        depth: dict[Root, int] = {}
        height: dict[Root, int] = {}
        for root in self.roots:
            read: list[Root] = []
            if root.producer is not None:
                read = [problem.views[v][0] for v in problem.nodes[root.producer].values_read]
            depth[root] = 1 + max((depth[r] for r in read if r.is_data), default=0) if read else 0
        for root in reversed(self.roots):
            made = [r for i, _ in root.readers for v in problem.nodes[i].results for r in (problem.roots[v],)]
            height[root] = 1 + max((height[r] for r in made), default=0)
        self.rank = {root: min(depth[root], height[root]) for root in self.roots}

    def solve(self) -> Choice:
        bound = 0
        for component in self._components():
            bound += self._solve_component(component)
        cost = sum(self._cost(root, self.choice) for root in self.roots)
        outside = sum(self._cost(root, self.choice) for root in self.roots if not self._is_open(root))
        return Choice(tuple(self.choice), cost, min(cost, bound + outside))

    def _is_open(self, root: Root) -> bool:
        """Whether some node at `root` has a choice."""
        at = [*self.needs[root], *([] if root.producer is None else [root.producer])]
        return any(len(self.problem.labels[i]) > 1 for i in at)

    def _components(self) -> list[list[int]]:
        """Nodes with a choice, connected through the roots they share. A node without one stands between components."""
        labels = self.problem.labels
        at: dict[Root, list[int]] = {root: [] for root in self.roots}
        for index, roots in enumerate(self.touching):
            if len(labels[index]) > 1:
                for root in roots:
                    at[root].append(index)
        seen: set[int] = set()
        visited: set[Root] = set()
        components: list[list[int]] = []
        for start in range(len(labels)):
            if len(labels[start]) < 2 or start in seen:
                continue
            component, pending = [], [start]
            seen.add(start)
            while pending:
                index = pending.pop()
                component.append(index)
                for root in self.touching[index]:
                    if root in visited:
                        continue
                    visited.add(root)
                    fresh = [i for i in at[root] if i not in seen]
                    seen.update(fresh)
                    pending.extend(fresh)
            components.append(sorted(component))
        return components

    def _solve_component(self, component: list[int]) -> int:
        """Choose labels for `component`; a lower bound on the cost of its roots."""
        roots = self._roots_of(component)
        if all(len(self.problem.labels[i]) == 2 for i in component):
            sides = self._balanced_sides(component, roots)
            if sides is not None:
                self._keep_if_better(roots, Move(self, sides).solve(roots))
                return sum(self._cost(root, self.choice) for root in roots)
        bound = sum(self._forced(root) for root in roots)
        if sum(self._cost(root, self.choice) for root in roots) > bound:  # as often nothing can be gained, in attention say
            self._expand(self._families(component))
        return bound

    def _expand(self, families: list[Family]) -> None:
        """Expansion moves until none helps."""
        for _ in range(MAX_SWEEPS):
            improved = False
            for family in families:
                sides = {i: (self.choice[i], label) for i, label in family.items() if self.choice[i] != label}
                if sides:
                    nearby = self._roots_of(sides)  # no other root can change its cost
                    improved |= self._keep_if_better(nearby, Move(self, sides).solve(nearby))
            if not improved:
                break

    def _roots_of(self, component: Iterable[int]) -> list[Root]:
        return list(dict.fromkeys(root for index in component for root in self.touching[index]))

    def _keep_if_better(self, roots: list[Root], proposed: dict[int, int]) -> bool:
        changed = list(self.choice)
        for index, label in proposed.items():
            changed[index] = label

        def rated(choice: list[int]) -> int:
            return sum(self._cost(root, choice) * TIE + self._tie(root, choice) for root in roots)

        better = rated(changed) < rated(self.choice)
        if better:
            self.choice = changed
        return better

    def copies(self, root: Root, choice: list[int]) -> set[Key]:
        """The layouts other than the given one in which `root` is needed."""
        given = self.gives[root][0 if root.producer is None else choice[root.producer]]
        wanted = set(self.fixed_needs[root]).union(*(table[choice[i]] for i, table in self.needs[root].items()))
        return wanted - {given}

    def _cost(self, root: Root, choice: list[int]) -> int:
        return root.weight * len(self.copies(root, choice))

    def _tie(self, root: Root, choice: list[int]) -> int:
        return self.rank[root] * len(self.copies(root, choice))

    def _forced(self, root: Root) -> int:
        """What `root` costs under every choice at least."""
        return root.weight * min(self._least_copies(root, given) for given in dict.fromkeys(self.gives[root]))

    def _least_copies(self, root: Root, given: Key) -> int:
        """Readers need different copies if no layout that one may want is one that the other may."""
        taken = set(self.fixed_needs[root] - {given})
        least = len(taken)
        wanted = [[keys - {given} for keys in table] for table in self.needs[root].values()]
        for options in sorted(filter(all, wanted), key=lambda each: len(frozenset().union(*each))):
            either = frozenset().union(*options)
            if taken.isdisjoint(either):
                taken |= either
                least += min(map(len, options))
        return least

    def _keys_at(self, index: int, label: int) -> list[tuple[Root, Key]]:
        """The layouts of roots that (index, label) gives or needs, if several readings of one root agree."""
        found: list[tuple[Root, Key]] = []
        for root in self.touching[index]:
            if root.producer == index:
                found.append((root, self.gives[root][label]))
            elif len(self.needs[root][index][label]) == 1:
                found.extend((root, key) for key in self.needs[root][index][label])
        return found

    def _grow(self, start: tuple[int, int], visited: set[tuple[Root, Key]]) -> Family:
        """The labels that share a layout with `start`, however far; of one node's labels the first met."""
        family: Family = {start[0]: start[1]}
        pending = deque([start])
        while pending:
            for at in self._keys_at(*pending.popleft()):
                if at in visited:
                    continue
                visited.add(at)
                for index, label in self.sharing.get(at, ()):
                    if index not in family:
                        family[index] = label
                        pending.append((index, label))
        return family

    def _families(self, component: list[int]) -> list[Family]:
        covered: set[tuple[int, int]] = set()
        families: list[Family] = []
        for index in component:
            for label in range(len(self.problem.labels[index])):
                if (index, label) not in covered:
                    family = self._grow((index, label), set())
                    covered.update(family.items())
                    covered.add((index, label))
                    families.append(family)
        return families

    def _balanced_sides(self, component: list[int], roots: list[Root]) -> dict[int, tuple[int, int]] | None:
        """Each node's two labels as (source side, sink side), equal layouts on equal sides; None if impossible."""
        sides: dict[int, tuple[int, int]] = {}
        visited: set[tuple[Root, Key]] = set()
        for start in component:
            if start in sides:
                continue
            sides[start] = (0, 1)
            pending = [start]
            while pending:
                index = pending.pop()
                for side in (0, 1):
                    fresh = [at for at in self._keys_at(index, sides[index][side]) if at not in visited]
                    visited.update(fresh)
                    for other, label in (pair for at in fresh for pair in self._decided(at)):
                        if other not in sides:
                            sides[other] = (label, 1 - label) if side == 0 else (1 - label, label)
                            pending.append(other)
        move = Move(self, sides)
        move.build(roots)
        return sides if move.exact else None

    def _decided(self, at: tuple[Root, Key]) -> list[tuple[int, int]]:
        """The (node, label) that share the layout, without nodes that do so under each of their labels."""
        shared = self.sharing.get(at, [])
        times = Counter(index for index, _ in shared)
        return [(index, label) for index, label in shared if times[index] == 1]


class Move:
    """One minimum cut: each node in `sides` takes its source-side or its sink-side label, all others keep theirs.

    exact   False once a term had to be replaced by an upper bound, tight where every node is on its source side
    """

    def __init__(self, cut: LayoutCut, sides: dict[int, tuple[int, int]]) -> None:
        self.cut = cut
        self.sides = sides
        self.exact = True
        import networkx  # only here: it takes as long to import as half of burngraph, and not every program needs a cut

        self.graph: Any = networkx.DiGraph()
        self.graph.add_nodes_from(("s", "t"))
        self._auxiliary = 0

    def solve(self, roots: list[Root]) -> dict[int, int]:
        """The labels after the best move."""
        from networkx.algorithms.flow import boykov_kolmogorov

        self.build(roots)
        residual = boykov_kolmogorov(self.graph, "s", "t")
        source_tree = set(residual.graph["trees"][0])
        return {i: pair[0] if i in source_tree else pair[1] for i, pair in self.sides.items() if i in self.graph}

    def build(self, roots: list[Root]) -> None:
        for root in roots:
            weight = root.weight * TIE + self.cut.rank[root]
            keys = set(self.cut.fixed_needs[root])
            for index, table in self.cut.needs[root].items():
                keys.update(*(table[label] for label in self._labels(index)))
            for key in sorted(keys):
                self._add_copy(root, key, weight)

    def _labels(self, index: int) -> tuple[int, int]:
        now = self.cut.choice[index]
        return self.sides.get(index, (now, now))

    def _add_copy(self, root: Root, key: Key, weight: int) -> None:
        """The term weight * [some reader needs `key`] * [the producer does not give it]."""
        given = self.cut.gives[root]
        labels = (0, 0) if root.producer is None else self._labels(root.producer)
        source_gives, sink_gives = (given[k] == key for k in labels)
        if source_gives and sink_gives:
            return
        always = key in self.cut.fixed_needs[root]
        at_source: list[int] = []
        at_sink: list[int] = []
        for index, table in self.cut.needs[root].items():
            source_needs, sink_needs = (key in table[k] for k in self._labels(index))
            if source_needs and sink_needs:
                always = True
            elif source_needs:
                at_source.append(index)
            elif sink_needs:
                at_sink.append(index)
        producer = root.producer
        if always:
            if sink_gives or source_gives:
                self._arc(producer if sink_gives else "s", "t" if sink_gives else producer, weight)
            return
        if not source_gives and not sink_gives:  # paid as soon as any reader needs it
            self.exact &= not (at_source and at_sink)
            self._pay("s", at_sink, weight)
            self._pay_at_source("t", at_source, weight)
            return
        # The sides agree if the readers that need `key` are on the side where the producer gives it.
        self.exact &= not (at_source if sink_gives else at_sink)
        self._pay(producer if sink_gives else "s", at_sink, weight)
        self._pay_at_source(producer if source_gives else "t", at_source, weight)

    def _pay(self, start: int | str | None, readers: list[int], weight: int) -> None:
        """weight where `start` is on the source side and any reader on the sink side."""
        readers = [i for i in readers if i != start]
        if len(readers) == 1:
            self._arc(start, readers[0], weight)
        elif readers:
            copy = self._new()
            self._arc(start, copy, weight)
            for index in readers:
                self.graph.add_edge(copy, index)

    def _pay_at_source(self, end: int | str | None, readers: list[int], weight: int) -> None:
        """weight where `end` is on the sink side and any reader on the source side."""
        readers = [i for i in readers if i != end]
        if len(readers) == 1:
            self._arc(readers[0], end, weight)
        elif readers:
            copy = self._new()
            self._arc(copy, end, weight)
            for index in readers:
                self.graph.add_edge(index, copy)

    def _new(self) -> str:
        self._auxiliary += 1
        return f"copy{self._auxiliary}"

    def _arc(self, start: Any, end: Any, weight: int) -> None:
        if self.graph.has_edge(start, end):
            self.graph[start][end]["capacity"] += weight
        else:
            self.graph.add_edge(start, end, capacity=weight)
