"""Scan: a loop of a known number of steps over the slices of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from burngraph.errors import RefusedError, ShapeError
from burngraph.ir.builder import Builder, inline
from burngraph.ir.graph import Graph, Node
from burngraph.ir.interpret import run
from burngraph.ir.op import Cost, Linearized, Op, Tangent, add_values, register, zeros
from burngraph.ir.ops.composite import graph_cost, partly_batched_graph
from burngraph.ir.ops.control import (
    Control,
    Linearize,
    Transpose,
    batch_size,
    carried_tangents,
    check_linear,
    check_params,
    graph_of,
    listed,
    one_or_several,
    reached_carries,
    result_dots,
    stacked_where,
)
from burngraph.ir.ops.movement import Permute
from burngraph.ir.split import Parts, needed_nodes, split
from burngraph.ir.types import Array, TensorType
from burngraph.ir.value import Emit, Value


@register
@dataclass(frozen=True, eq=False)
class Scan(Control):
    """Run `body` once for each slice of `xs` along axis 0, carrying values from step to step.

    operands   constants; carried values at the start; xs, each T[length, ...]
    results    carried values at the end; ys, each T[length, ...], stacked in the order of xs

    n_constants   how many constants
    n_carry    how many carried values
    length     steps, may be 0
    body       takes constants, carried values, one slice of each of xs; gives carried values, one slice of each of ys
    reverse    the last slice comes first

    Raises     ShapeError   the body does not fit itself or the operands
    Source     jax.lax.scan (meaning)
    """

    name = "scan"
    n_constants: int
    n_carry: int
    length: int
    body: Graph
    reverse: bool = False
    linear: tuple[int, ...] = ()

    if not TYPE_CHECKING:

        @property
        def results(self) -> tuple[str, ...]:
            return tuple(f"out{i}" for i in range(len(self.body.results)))

    @property
    def first_x(self) -> int:
        """The position of the first of xs among the operands, and of its slice among the body's parameters."""
        return self.n_constants + self.n_carry

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        if min(self.n_constants, self.n_carry, self.length, len(types) - self.first_x) < 0:
            raise ShapeError(
                f"scan: {self.n_constants} constants, {self.n_carry} carried, {self.length} steps on {len(types)} operands"
            )
        check_linear(self, len(types))
        xs = types[self.first_x :]
        if any(x.shape[:1] != (self.length,) for x in xs):
            raise ShapeError(f"scan: every x must have {self.length} entries along axis 0", f"xs: {listed(xs)}")
        slices = [x.with_shape(x.shape[1:]) for x in xs]
        check_params(self, "body", self.body, [*types[: self.first_x], *slices])
        given, ys = self.body.result_types[: self.n_carry], self.body.result_types[self.n_carry :]
        if types[self.n_constants : self.first_x] != given:
            raise ShapeError(
                f"scan: @{self.body.name} gives other carried types than it takes",
                f"takes: {listed(types[self.n_constants : self.first_x])}",
                f"gives: {listed(given)}",
            )
        return (*given, *(y.with_shape((self.length, *y.shape)) for y in ys))

    def reference(self, *arrays: Array) -> tuple[Any, ...]:
        given = [np.asarray(a) for a in arrays]
        constants, xs = given[: self.n_constants], given[self.first_x :]
        carried = tuple(given[self.n_constants : self.first_x])
        steps: list[tuple[Array, ...]] = []
        for i in self.order():
            out = run(self.body, *constants, *carried, *(np.asarray(x[i]) for x in xs))
            carried = out[: self.n_carry]
            steps.append(out[self.n_carry :])
        if self.reverse:
            steps.reverse()
        ys = self.body.result_types[self.n_carry :]
        empty = [np.zeros((0, *y.shape), y.dtype.numpy) for y in ys]
        return (*carried, *(map(np.stack, zip(*steps, strict=True)) if steps else empty))

    def order(self) -> Sequence[int]:
        """The slices in the order in which the steps take them."""
        return range(self.length)[:: -1 if self.reverse else 1]

    def graphs(self) -> tuple[Graph, ...]:
        return (self.body,)

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        (body,) = graphs
        return Scan(self.n_constants, self.n_carry, self.length, body, self.reverse, self.linear)

    def bindings(self) -> tuple[list[list[Value]], list[list[Value]]]:
        given = [[p] for p in self.body.params]
        carried = given[self.n_constants : self.first_x]
        for values, result in zip(carried, self.body.results, strict=False):
            values.append(result)
        return given, [*carried, *([y] for y in self.body.results[self.n_carry :])]

    def is_sliced(self, index: int) -> bool:
        return index >= self.first_x if index >= 0 else ~index >= self.n_carry

    def count_constants(self) -> int:
        return self.n_constants

    def with_constants(self, graphs: Sequence[Graph], n_more: int, linear: tuple[int, ...]) -> "Scan":
        (body,) = graphs
        return Scan(self.n_constants + n_more, self.n_carry, self.length, body, self.reverse, linear)

    def linearize_nested(self, emit: Emit, linearize: Linearize, *values: Any) -> Linearized:
        """A scan that also stacks what the tangents need of each step, and a linear scan over those stacks.

        What a step needs of the constants is handed to the linear scan as it is, what it makes of them alone is made once.
        """
        n, n_results = len(self.body.params), len(self.body.results)
        operands, dots = values[:n], values[n + n_results :]
        start = {i for i, dot in enumerate(dots) if dot is not None}
        joint, wrt, found = carried_tangents(linearize, self.body, start, self.n_constants, self.n_carry)
        of = dict(zip(wrt, joint.params[n:], strict=True))
        carries = [i - self.n_constants for i in wrt if self.n_constants <= i < self.first_x]
        all_dots = result_dots(joint, n_results)
        ys = [i for i in found if i >= self.n_carry]
        moved = [*(all_dots[i] for i in carries), *(found[i] for i in ys)]
        parts = split(joint, joint.params[n:], moved)
        fixed = _from_constants(emit, joint, parts, operands[: self.n_constants])
        xs = dict(zip(joint.params[self.first_x : n], operands[self.first_x :], strict=True))
        ys_anyway = {joint.results[k]: k for k in range(self.n_carry, n_results)}
        stacked = [v for v in parts.residuals if v not in fixed and v not in xs and v not in ys_anyway]
        primal = graph_of(joint, joint.params[:n], [*joint.results[:n_results], *stacked])
        outs = emit.several(Scan(self.n_constants, self.n_carry, self.length, primal, self.reverse), *operands)
        tangents: list[Tangent] = [None] * n_results
        if not moved:
            return Linearized(outs[:n_results], tuple(tangents))

        constants = [v for v in parts.residuals if v in fixed]
        xs.update((v, outs[k]) for v, k in ys_anyway.items() if v not in fixed and v not in xs)
        sliced = [v for v in parts.residuals if v in xs]
        dot_constants = [i for i in wrt if i < self.n_constants]
        dot_xs = [i for i in wrt if i >= self.first_x]
        params = [
            *constants, *(of[i] for i in dot_constants), *(of[self.n_constants + k] for k in carries),
            *sliced, *stacked, *(of[i] for i in dot_xs),
        ]  # fmt: skip
        starts = [self.n_constants + k for k in carries]
        given = [
            *(fixed[v] for v in constants), *(dots[i] for i in dot_constants),
            *(dots[i] if dots[i] is not None else zeros(emit, operands[i].type) for i in starts),
            *(xs[v] for v in sliced), *outs[n_results:], *(dots[i] for i in dot_xs),
        ]  # fmt: skip
        linear = Graph(joint.name, params, parts.late, moved)
        n_fixed, n_sliced = len(constants) + len(dot_constants), len(sliced) + len(stacked)
        first_dot_x = n_fixed + len(carries) + n_sliced
        positions = (*range(len(constants), n_fixed + len(carries)), *range(first_dot_x, len(given)))
        scan = Scan(n_fixed, len(carries), self.length, linear, self.reverse, positions)
        for i, dot in zip([*carries, *ys], emit.several(scan, *given), strict=True):
            tangents[i] = dot
        return Linearized(outs[:n_results], tuple(tangents))

    def transpose_nested(
        self, emit: Emit, transpose: Transpose, into: Sequence[int], result_bars: Sequence[Value | None],
        operands: Sequence[Value],
    ) -> tuple[Tangent, ...]:  # fmt: skip
        """A scan the other way: it carries the cotangents of the carried values, and adds up those of the constants."""
        nc, nk, body, linear = self.n_constants, self.n_carry, self.body, set(self.linear)
        if not linear.issuperset(range(nc, self.first_x)):
            raise RefusedError(f"transpose: scan of @{body.name} carries values that it is not linear in")
        constants = [i for i in self.linear if i < nc]
        xs = [i for i in self.linear if i >= self.first_x]
        ys = [k for k in range(nk, len(body.results)) if result_bars[k] is not None]
        asked = graph_of(body, body.params, [*body.results[:nk], *(body.results[k] for k in ys)])
        back = transpose(asked, [*constants, *range(nc, self.first_x), *xs], range(len(asked.results)))

        builder = Builder(body.name)
        types = [v.type for v in body.params]
        kept = [i for i in range(nc) if i not in linear]
        sliced = [i for i in range(self.first_x, len(types)) if i not in linear]
        kept_params = [builder.param(types[i], body.params[i].name) for i in kept]
        bars = [builder.param(types[nc + k]) for k in range(nk)]
        sums = [builder.param(types[i]) for i in constants]
        slices = [builder.param(types[i], body.params[i].name) for i in sliced]
        y_bars = [builder.param(body.results[k].type) for k in ys]
        found = inline(builder, back, [*kept_params, *slices, *bars, *y_bars])
        builder.source = None
        n = len(constants)
        new_sums = [add_values(builder, a, b) for a, b in zip(sums, found[:n], strict=True)]
        step = builder.build([*found[n : n + nk], *new_sums, *found[n + nk :]])

        starts = [bar if bar is not None else zeros(emit, body.results[k].type) for k, bar in enumerate(result_bars[:nk])]
        starts += [zeros(emit, types[i]) for i in constants]
        given = [
            *(operands[i] for i in kept), *starts, *(operands[i] for i in sliced), *(result_bars[k] for k in ys),
        ]  # fmt: skip
        positions = (*range(len(kept), len(kept) + len(starts)), *range(len(given) - len(ys), len(given)))
        outs = emit.several(Scan(len(kept), len(starts), self.length, step, not self.reverse, positions), *given)
        by_position = dict(zip([*range(nc, self.first_x), *constants, *xs], outs, strict=True))
        return tuple(by_position[i] for i in into)

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Any:
        """The batch axis stands first in constants and carried values, and second, behind the steps, in xs and ys."""
        nc, nk, size = self.n_constants, self.n_carry, batch_size(operands, is_batched)
        fixed, starts, along = is_batched[:nc], is_batched[nc : self.first_x], is_batched[self.first_x :]
        carried = reached_carries(lambda now: partly_batched_graph(self.body, (*fixed, *now, *along), size)[1][:nk], starts)
        wanted = [*carried, *(False,) * (len(self.body.results) - nk)]
        body, has = partly_batched_graph(self.body, (*fixed, *carried, *along), size, wanted)
        xs = [_swap_first(emit, x) if flag else x for x, flag in zip(operands[self.first_x :], along, strict=True)]
        begun = stacked_where(emit, operands[nc : self.first_x], starts, carried, size)
        outs = emit.several(Scan(nc, nk, self.length, body, self.reverse, self.linear), *operands[:nc], *begun, *xs)
        ys = [_swap_first(emit, y) if flag else y for y, flag in zip(outs[nk:], has[nk:], strict=True)]
        return one_or_several(stacked_where(emit, [*outs[:nk], *ys], has, (True,) * len(has), size))

    def cost(self, *types: TensorType) -> Cost:
        one = graph_cost(self.body)
        return Cost(*(count * self.length for count in one))


def _swap_first(emit: Emit, x: Value) -> Value:
    return emit(Permute((1, 0, *range(2, len(x.shape)))), x)


def _from_constants(emit: Emit, joint: Graph, parts: Parts, constants: Sequence[Value]) -> dict[Value, Value]:
    """By residual that depends on constants alone: its value, made outside of the loop."""
    outside: dict[Value, Value] = dict(zip(joint.params, constants, strict=False))
    fixed = set(outside)
    nodes: list[Node] = []
    for node in parts.early:
        if all(v in fixed for v in node.values_read):
            fixed.update(node.results)
            nodes.append(node)
    for node in needed_nodes(nodes, [v for v in parts.residuals if v in fixed]):
        made = emit.several(node.op, *(None if v is None else outside[v] for v in node.operands))
        outside.update(zip(node.results, made, strict=True))
    return {v: outside[v] for v in parts.residuals if v in fixed}
