"""Ops that say how to differentiate them: stop_gradient, checkpoint, custom_vjp, custom_jvp.

Once derivatives are taken they mean no more than the graph inside them, and the first pass of the pipeline inlines them.
`after` is what stays of a checkpoint, and keeps the two computations of its body apart.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from burngraph.errors import RefusedError, ShapeError
from burngraph.ir.builder import Builder, inline
from burngraph.ir.graph import Graph
from burngraph.ir.op import FREE, Cost, Linearized, Op, Permuted, Tangent, add_values, register, zeros
from burngraph.ir.ops.broadcast import Sum, repeat_leading
from burngraph.ir.ops.call import Call
from burngraph.ir.ops.composite import Composite, batched_graph, partly_batched_graph
from burngraph.ir.permutation import Perm, identity
from burngraph.ir.split import needed_nodes
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value

Linearize = Callable[[Graph, Sequence[int]], Graph]
Transpose = Callable[[Graph, Sequence[int], Sequence[int]], Graph]


@register
@dataclass(frozen=True, eq=False)
class StopGradient(Composite):
    """`x` as it is, with derivative zero by definition.

    x        T[...]   any dtype
    """

    name = "stop_gradient"
    operands = ("x",)
    locally_constant = True
    constant_in = ("x",)

    def infer(self, x: TensorType) -> TensorType:
        return x

    def decompose(self, emit: Emit, x: Value) -> Value:
        return x

    def permuted(self, operand_types: Any, index: int, perm: Perm) -> Permuted:
        return Permuted(self, (perm,), (perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        return emit(self, operands[0])


@register
@dataclass(frozen=True, eq=False)
class After(Op):
    """`x` as it is, but not before the `others` are computed: what reads it is another computation than what reads `x`.

    x        T[...]           any dtype
    others   of any types; their values do not matter
    """

    name = "after"
    operands = ("x", "others*")
    linear_in = (("x",),)
    order_only = ("others",)

    def infer(self, x: TensorType, *others: TensorType) -> TensorType:
        return x

    def reference(self, x: Array, *others: Array) -> Array:
        return x

    def linearize(self, emit: Emit, *values: Any) -> Tangent:
        return values[len(values) // 2 + 1]  # type: ignore[no-any-return]  # x_dot: what reads it reads the kept x beside it

    def transpose(self, emit: Emit, into: int, y_bar: Value, x: Value, *others: Value) -> Value:
        return y_bar

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted:
        x_perm = perm if index <= 0 else identity(operand_types[0].rank)
        others = [perm if i == index else None for i in range(1, len(operand_types))]
        return Permuted(self, (x_perm, *others), (x_perm,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        x, *others = operands
        if not is_batched[0]:
            x = repeat_leading(emit, x, operands[is_batched.index(True)].shape[0])
        return emit(self, x, *others)

    def cost(self, *types: TensorType) -> Cost:
        return FREE


@register
@dataclass(frozen=True, eq=False)
class Checkpoint(Call):
    """A call whose reverse derivative computes the graph again instead of keeping values from inside it.

    Its tangent is one op too, `checkpoint_tangent`. Transposing that puts the computation of `graph` and its reverse, on
    operands held back by `after`, where the cotangents arrive; only the operands are kept until then.
    """

    name = "checkpoint"
    graph: Graph

    def linearize_nested(self, emit: Emit, linearize: Linearize, *values: Any) -> tuple[Tangent, ...]:
        n, n_results = len(self.graph.params), len(self.graph.results)
        operands, dots = values[:n], values[n + n_results :]
        moving = [i for i, dot in enumerate(dots) if dot is not None]
        joint = linearize(self.graph, moving)
        tangent = Graph(f"{self.graph.name}.tangent", joint.params, joint.nodes, joint.results[n_results:])
        found = emit.several(CheckpointTangent(tangent, n), *operands, *(dots[i] for i in moving))
        return spread(self.graph.result_types, found)

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> tuple[Value, ...]:
        size = operands[is_batched.index(True)].shape[0]
        return emit.several(self.with_graphs([batched_graph(self.graph, is_batched, size)]), *operands)

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        (graph,) = graphs
        return Checkpoint(graph)


@register
@dataclass(frozen=True, eq=False)
class CheckpointTangent(Checkpoint):
    """The tangents of a checkpoint's results. Linear in the operands from `n_primals` on.

    graph       primals, tangents -> tangents
    """

    name = "checkpoint_tangent"
    graph: Graph
    n_primals: int

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        if not 0 <= self.n_primals <= len(types):
            raise ShapeError(f"checkpoint_tangent: n_primals is {self.n_primals}, of {len(types)} operands")
        return super().infer(*types)

    def linear_positions(self, n_operands: int) -> list[tuple[int, ...]]:
        return [tuple(range(self.n_primals, n_operands))]

    def transpose_nested(
        self, emit: Emit, transpose: Transpose, into: Sequence[int], result_bars: tuple[Tangent, ...], operands: Any
    ) -> tuple[Value, ...]:
        graph = self.graph
        reached = [k for k, bar in enumerate(result_bars) if bar is not None]
        bars = [result_bars[k] for k in reached]
        graph = Graph(graph.name, graph.params, graph.nodes, [graph.results[k] for k in reached])
        reverse = transpose(graph, into, range(len(reached)))
        kept = [emit(After(), x, *bars) for i, x in enumerate(operands) if i not in into]
        return inline(emit, reverse, [*kept, *bars])

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        (graph,) = graphs
        return CheckpointTangent(graph, self.n_primals)


class CustomDerivative(Call):
    """Base of calls with a derivative of the user's own. The last `n_fixed` operands are values that the user's functions
    read without being given them; the rule says nothing of them, so their part is the derivative of `graph` itself.
    """

    graph: Graph
    n_fixed: int

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        if not 0 <= self.n_fixed <= len(types):
            raise ShapeError(f"{self.name}: n_fixed is {self.n_fixed}, of {len(types)} operands")
        return super().infer(*types)

    def moving(self, dots: Sequence[Tangent]) -> tuple[list[int], list[int]]:
        """The operands with a tangent: those that the rule is about, and those that are fixed."""
        found = [i for i, dot in enumerate(dots) if dot is not None]
        n_own = len(dots) - self.n_fixed
        return [i for i in found if i < n_own], [i for i in found if i >= n_own]

    def own_tangents(
        self, emit: Emit, linearize: Linearize, operands: Sequence[Value], dots: Sequence[Tangent], wrt: Sequence[int]
    ) -> Sequence[Value]:
        """What the tangents of the operands `wrt` make of the inexact results by the derivative of `graph` itself."""
        joint = linearize(self.graph, wrt)
        return inline(emit, joint, [*operands, *(dots[i] for i in wrt)])[len(self.graph.results) :]

    def differentiated(self) -> list[int]:
        """The operands that the user's rule has a derivative for: the inexact ones that are not fixed."""
        own = self.graph.params[: len(self.graph.params) - self.n_fixed]
        return [i for i, param in enumerate(own) if param.type.dtype.is_inexact]

    def check_graph(self, what: str, graph: Graph, params: Sequence[TensorType], results: Sequence[TensorType]) -> None:
        for side, found, wanted in (("takes", graph.param_types, params), ("returns", graph.result_types, results)):
            if found != tuple(wanted):
                raise ShapeError(
                    f"{self.name}: {what} of @{self.graph.name} {side} other types than it must",
                    f"found: {', '.join(map(str, found))}",
                    f"expected: {', '.join(map(str, wanted))}",
                )


@register
@dataclass(frozen=True, eq=False)
class CustomVjp(CustomDerivative):
    """A call with a reverse derivative of its own.

    graph      operands -> results
    forward    operands -> results, residuals
    backward   residuals, a cotangent for each inexact result -> a cotangent for each inexact operand that is not fixed

    Raises     ShapeError   the three do not fit together
    """

    name = "custom_vjp"
    graph: Graph
    forward: Graph
    backward: Graph
    n_fixed: int = 0

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        results = super().infer(*types)
        residuals = self.forward.result_types[len(results) :]
        self.check_graph("forward", self.forward, types, [*results, *residuals])
        bars = [types[i] for i in self.differentiated()]
        self.check_graph("backward", self.backward, [*residuals, *(t for t in results if t.dtype.is_inexact)], bars)
        return results

    def linearize_nested(self, emit: Emit, linearize: Linearize, *values: Any) -> Linearized:
        """The tangent map is one op, `custom_tangent`, which only transposition reads."""

        def tangents(backward: Graph, residuals: Sequence[Value], dots: Sequence[Value]) -> Sequence[Value]:
            return emit.several(CustomTangent(backward, len(residuals)), *residuals, *dots)

        return self._linearized(emit, linearize, tangents, values)

    def push_forward_nested(self, emit: Emit, push: Linearize, transpose: Transpose, *values: Any) -> Linearized:
        """The same with tangents that run: the adjoint of `backward`, or, where that is not linear in the cotangents and so
        has none, the derivative of `graph` itself.
        """
        operands, _, dots = self._parts(values)
        moving, _ = self.moving(dots)

        def tangents(backward: Graph, residuals: Sequence[Value], dots_given: Sequence[Value]) -> Sequence[Value]:
            n = len(residuals)
            try:
                adjoint = transpose(backward, range(n, len(backward.params)), range(len(backward.results)))
            except RefusedError:
                place = getattr(emit, "source", None)
                warnings.warn(
                    f"custom_vjp: forward derivatives of @{self.graph.name} are those of the function itself, as its backward "
                    "function is not linear in the cotangents" + (f"; from {place}" if place else ""),
                    stacklevel=2,
                )
                return self.own_tangents(emit, push, operands, dots, moving)
            return inline(emit, adjoint, [*residuals, *dots_given])

        return self._linearized(emit, push, tangents, values)

    def _parts(self, values: Sequence[Any]) -> tuple[Sequence[Value], Sequence[Value], Sequence[Tangent]]:
        n, n_results = len(self.graph.params), len(self.graph.results)
        return values[:n], values[n : n + n_results], values[n + n_results :]

    def _linearized(
        self,
        emit: Emit,
        linearize: Linearize,
        tangents: Callable[[Graph, Sequence[Value], Sequence[Value]], Sequence[Value]],
        values: Sequence[Any],
    ) -> Linearized:
        """`tangents` gets `backward` for the operands that move, the residuals and the tangents of those operands."""
        operands, _, dots = self._parts(values)
        n_results = len(self.graph.results)
        moving, fixed = self.moving(dots)
        # The next derivative of the results is the user's again; once inlined, their two computations are one.
        primal = Graph(self.forward.name, self.forward.params, self.forward.nodes, self.forward.results[:n_results])
        results = emit.several(CustomVjp(primal, self.forward, self.backward, self.n_fixed), *operands)
        found: list[Sequence[Value]] = []
        if moving:
            residuals = emit.several(Call(self.forward), *operands)[n_results:]
            order = self.differentiated()
            chosen = [self.backward.results[order.index(i)] for i in moving]
            backward = Graph(self.backward.name, self.backward.params, self.backward.nodes, chosen)
            found.append(tangents(backward, residuals, [dot for i in moving if (dot := dots[i]) is not None]))
        if fixed:
            found.append(self.own_tangents(emit, linearize, operands, dots, fixed))
        return Linearized(results, spread(self.graph.result_types, summed(emit, found)))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> tuple[Value, ...]:
        size, n_results = operands[is_batched.index(True)].shape[0], len(self.graph.results)
        graph = batched_graph(self.graph, is_batched, size)
        wanted = [k < n_results for k in range(len(self.forward.results))]  # residuals stay shared where they are
        forward, has = partly_batched_graph(self.forward, is_batched, size, wanted)
        cotangents = len(self.backward.params) - (len(wanted) - n_results)
        backward = batched_graph(self.backward, (*has[n_results:], *(True,) * cotangents), size)
        builder = Builder(backward.name)  # the cotangent of what all examples share is the sum over them
        params = [builder.param(p.type, p.name) for p in backward.params]
        bars = [
            bar if is_batched[i] else builder(Sum((0,)), bar)
            for i, bar in zip(self.differentiated(), inline(builder, backward, params), strict=True)
        ]
        return emit.several(CustomVjp(graph, forward, builder.build(bars), self.n_fixed), *operands)

    def graphs(self) -> tuple[Graph, ...]:
        return (self.graph, self.forward, self.backward)

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        graph, forward, backward = graphs
        return CustomVjp(graph, forward, backward, self.n_fixed)


@dataclass(frozen=True, eq=False)
class CustomTangent(Op):
    """The tangents of a custom_vjp's results: the adjoint of `backward`, linear in the operands from `n_residuals` on.

    Stands only between `linearize` and `transpose`, which follows at once and turns it into `backward`. So it is no registered
    op and has no other aspect.
    """

    name = "custom_tangent"
    operands = ("xs*",)
    backward: Graph
    n_residuals: int

    if not TYPE_CHECKING:

        @property
        def results(self) -> tuple[str, ...]:
            """One name per cotangent that `backward` takes."""
            return tuple(f"out{i}" for i in range(len(self.backward.params) - self.n_residuals))

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        return self.backward.param_types[self.n_residuals :]

    def linear_positions(self, n_operands: int) -> list[tuple[int, ...]]:
        return [tuple(range(self.n_residuals, n_operands))]

    def transpose_nested(
        self, emit: Emit, transpose: Transpose, into: Sequence[int], result_bars: tuple[Tangent, ...], operands: Any
    ) -> tuple[Value, ...]:
        types = self.infer()
        bars = [zeros(emit, t) if bar is None else bar for bar, t in zip(result_bars, types, strict=True)]
        found = inline(emit, self.backward, [*operands[: self.n_residuals], *bars])
        return tuple(found[i - self.n_residuals] for i in into)

    def graphs(self) -> tuple[Graph, ...]:
        return (self.backward,)

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        return CustomTangent(graphs[0], self.n_residuals)


@register
@dataclass(frozen=True, eq=False)
class CustomJvp(CustomDerivative):
    """A call with a forward derivative of its own, whose transpose is the reverse one.

    graph    operands -> results
    rule     operands, a tangent for each inexact operand that is not fixed -> results, a tangent for each inexact result;
             linear in the tangents

    Raises   ShapeError   the two do not fit together
    """

    name = "custom_jvp"
    graph: Graph
    rule: Graph
    n_fixed: int = 0

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        results = super().infer(*types)
        dots = [t for t in results if t.dtype.is_inexact]
        self.check_graph("rule", self.rule, [*types, *(types[i] for i in self.differentiated())], [*results, *dots])
        return results

    def linearize_nested(self, emit: Emit, linearize: Linearize, *values: Any) -> Linearized:
        n, n_results = len(self.graph.params), len(self.graph.results)
        operands, dots = values[:n], values[n + n_results :]
        moving, fixed = self.moving(dots)
        found: list[Sequence[Value]] = []
        if moving:
            given = [dots[i] if dots[i] is not None else zeros(emit, operands[i].type) for i in self.differentiated()]
            found.append(inline(emit, self.rule, [*operands, *given])[n_results:])
        if fixed:
            found.append(self.own_tangents(emit, linearize, operands, dots, fixed))
        # The next derivative of the results is the user's again; once inlined, their two computations are one.
        results = emit.several(CustomJvp(self.rule_primal(), self.rule, self.n_fixed), *operands)
        return Linearized(results, spread(self.graph.result_types, summed(emit, found)))

    def rule_primal(self) -> Graph:
        """The results as the rule computes them. Raises RefusedError: they depend on the tangents."""
        n, results = len(self.graph.params), self.rule.results[: len(self.graph.results)]
        nodes = needed_nodes(self.rule.nodes, results)
        read = {*results, *(value for node in nodes for value in node.values_read)}
        if any(dot in read for dot in self.rule.params[n:]):
            raise RefusedError(f"custom_jvp: the results that the rule of @{self.graph.name} gives depend on the tangents")
        return Graph(self.rule.name, self.rule.params[:n], nodes, results)

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> tuple[Value, ...]:
        size = operands[is_batched.index(True)].shape[0]
        flags = (*is_batched, *(is_batched[i] for i in self.differentiated()))
        op = CustomJvp(batched_graph(self.graph, is_batched, size), batched_graph(self.rule, flags, size), self.n_fixed)
        return emit.several(op, *operands)

    def graphs(self) -> tuple[Graph, ...]:
        return (self.graph, self.rule)

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        graph, rule = graphs
        return CustomJvp(graph, rule, self.n_fixed)


def summed(emit: Emit, terms: Sequence[Sequence[Value]]) -> Sequence[Value]:
    """The sum of several lists of tangents, entry by entry."""
    first, *others = terms
    for other in others:
        first = [add_values(emit, a, b) for a, b in zip(first, other, strict=True)]
    return first


def spread(types: Sequence[TensorType], tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
    """One tangent per result: `tangents` for the inexact ones, None for the others."""
    remaining = iter(tangents)
    return tuple(next(remaining) if t.dtype.is_inexact else None for t in types)
