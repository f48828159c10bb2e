"""What ops with nested graphs share: cond, while and scan, each in a file of its own.

Nested graphs are closed. What a body reads of the graph around it are its first operands, its *constants*.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from burngraph.errors import ShapeError
from burngraph.ir.graph import Graph, ParamKind
from burngraph.ir.op import Op, Permuted
from burngraph.ir.ops.broadcast import Broadcast, repeat_leading
from burngraph.ir.ops.compare import Select
from burngraph.ir.permutation import Perm
from burngraph.ir.permute_graph import Layouts, permuted_bytes
from burngraph.ir.split import dependents, needed_nodes
from burngraph.ir.types import TensorType
from burngraph.ir.value import Emit, Value

Linearize = Callable[[Graph, Sequence[int]], Graph]
Transpose = Callable[[Graph, Sequence[int], Sequence[int]], Graph]
Flags = Sequence[bool]


class Control(Op, ABC):
    """Base of ops that run nested graphs.

    n_before   operands before the constants
    repeats    whether the nested graphs run many times, so that it pays to move work out of them
    linear     positions of operands that the op is linear in jointly: the tangents, where a derivative made the op
    """

    operands: ClassVar[tuple[str, ...]] = ("xs*",)
    n_before: ClassVar[int] = 0
    repeats: ClassVar[bool] = True
    linear: tuple[int, ...]

    @abstractmethod
    def count_constants(self) -> int:
        """How many of the operands after the first `n_before` are constants."""

    def one_sided(self) -> dict[int, int]:
        """The results that one nested graph alone gives, and which."""
        return {}

    @abstractmethod
    def with_constants(self, graphs: Sequence[Graph], n_more: int, linear: tuple[int, ...]) -> "Control":
        """The same op on `graphs`, which take `n_more` constants, and with other `linear` positions."""

    def linear_positions(self, n_operands: int) -> list[tuple[int, ...]]:
        return [self.linear] if self.linear else []

    @abstractmethod
    def bindings(self) -> tuple[list[list[Value]], list[list[Value]]]:
        """The values of the nested graphs that stand for each operand after the first `n_before`, and for each result."""

    def is_sliced(self, index: int) -> bool:
        """Whether steps take slices of that operand along axis 0, or give slices of that result (~k)."""
        return False

    def permuted(self, operand_types: Any, index: int, perm: Perm) -> Permuted | None:
        """As far as every op inside goes along, and no more is permuted inside, where it may be permuted in every step."""
        if 0 <= index < self.n_before:  # a predicate has no axes
            return self.laid_out(operand_types, None, ())
        given, made = self.bindings()
        start = given[index - self.n_before][0] if index >= 0 else made[~index][0]
        if self.is_sliced(index):
            if perm[0] != 0:
                return None  # the steps would go along another axis
            perm = tuple(a - 1 for a in perm[1:])
        return self.laid_out(operand_types, start, perm)

    def laid_out(self, operand_types: Any, start: Value | None, perm: Perm) -> Permuted | None:
        """The op with the value `start` of a nested graph in another layout, and what follows from that."""
        given, made = self.bindings()
        slots = {i + self.n_before: values for i, values in enumerate(given)} | {~k: values for k, values in enumerate(made)}
        layouts = Layouts(self.graphs(), slots.values())
        if start is not None and not layouts.spread(start, perm):
            return None
        graphs = [layouts.rewritten(graph) for graph in self.graphs()]
        if sum(map(permuted_bytes, graphs)) > sum(map(permuted_bytes, self.graphs())):
            return None
        inside = {i: layouts.of(values[0]) for i, values in slots.items()}
        perms = {i: (0, *(a + 1 for a in p)) if self.is_sliced(i) else p for i, p in inside.items()}
        return self._with_layouts(graphs, operand_types, perms)

    def _with_layouts(self, graphs: Sequence[Graph], operand_types: Any, perms: dict[int, Perm]) -> Permuted:
        operands = tuple(perms.get(i, ()) for i in range(len(operand_types)))
        return Permuted(self.with_graphs(graphs), operands, tuple(perms[~k] for k in range(len(self.results))))


def graph_of(like: Graph, params: Sequence[Value], results: Sequence[Value], nodes: Any = None) -> Graph:
    """The nodes of `like` that `results` depend on, under other parameters."""
    return Graph(like.name, params, needed_nodes(like.nodes if nodes is None else nodes, results), results)


def check_params(op: Op, role: str, graph: Graph, given: Sequence[TensorType]) -> None:
    """Raise ShapeError unless `graph` takes operands of the types `given`."""
    if graph.param_types != tuple(given):
        raise ShapeError(
            f"{op.name}: {role} @{graph.name} is run on operands of other types than its parameters",
            "parameters: " + listed(graph.param_types),
            "operands: " + listed(given),
        )
    if any(kind is not ParamKind.DATA for kind in graph.kinds):
        raise ShapeError(f"{op.name}: {role} @{graph.name} has a parameter that is not data", "make it an operand")


def check_linear(op: Control, n_operands: int) -> None:
    """Raise ShapeError unless the `linear` positions are ascending ones of operands after the first `n_before`."""
    if any(not op.n_before <= i < n_operands for i in op.linear) or list(op.linear) != sorted(set(op.linear)):
        raise ShapeError(f"{op.name}: linear={list(op.linear)} are not ascending positions among {n_operands} operands")


def listed(types: Sequence[TensorType]) -> str:
    return "(" + ", ".join(map(str, types)) + ")"


def result_dots(joint: Graph, n_results: int) -> dict[int, Value]:
    """The tangent of each result that has one, in what `linearize` gave for a graph of `n_results`."""
    inexact = [i for i in range(n_results) if joint.results[i].type.dtype.is_inexact]
    return dict(zip(inexact, joint.results[n_results:], strict=True))


def carried_tangents(
    linearize: Linearize, body: Graph, moving: set[int], first: int, n_carry: int
) -> tuple[Graph, list[int], dict[int, Value]]:
    """Linearize a body whose first results become its parameters `first`, `first + 1`, ... of the next step.

    moving    positions of the parameters that have tangents at the start

    returns   the joint graph; all parameters that come to have tangents; by result, the tangents that are not zero
    """
    moving = set(moving)
    while True:
        wrt = sorted(moving)
        joint = linearize(body, wrt)
        reached = dependents(joint, joint.params[len(body.params) :])
        dots = {i: dot for i, dot in result_dots(joint, len(body.results)).items() if dot in reached}
        more = {first + i for i in dots if i < n_carry} - moving
        if not more:
            return joint, wrt, dots
        moving |= more


def reached_carries(is_reached: Callable[[list[bool]], Flags], flags: Sequence[bool]) -> list[bool]:
    """The least flags of carries that hold `flags` and what a step makes of them."""
    now = list(flags)
    while True:
        after = [a or b for a, b in zip(now, is_reached(now), strict=True)]
        if after == now:
            return now
        now = after


def batch_size(operands: Sequence[Value], flags: Flags) -> int:
    return next(v.shape[0] for v, flag in zip(operands, flags, strict=True) if flag)


def select_by_example(emit: Emit, mask: Value, x: Value, y: Value) -> Value:
    """x where the example's `mask` holds, else y; both batched."""
    wide = emit(Broadcast(x.shape, tuple(range(1, len(x.shape)))), mask) if len(x.shape) > 1 else mask
    return emit(Select(), wide, x, y)


def one_or_several(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


def stacked_where(emit: Emit, values: Sequence[Value], has: Flags, wanted: Flags, size: int) -> list[Value]:
    """The values, with a batch axis added where it is `wanted` and they have none."""
    return [
        repeat_leading(emit, v, size) if asked and not there else v for v, there, asked in zip(values, has, wanted, strict=True)
    ]
