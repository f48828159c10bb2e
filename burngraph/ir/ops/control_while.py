"""While: a loop whose number of steps is known when it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from burngraph.errors import BurngraphError, DTypeError, RefusedError, ShapeError
from burngraph.ir.builder import Builder, inline
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import run
from burngraph.ir.op import Cost, Op, Tangent, register, zeros
from burngraph.ir.ops.broadcast import repeat_leading
from burngraph.ir.ops.composite import graph_cost, partly_batched_graph
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.control import (
    Control,
    Flags,
    Linearize,
    batch_size,
    carried_tangents,
    check_linear,
    check_params,
    graph_of,
    listed,
    one_or_several,
    reached_carries,
    result_dots,
    select_by_example,
    stacked_where,
)
from burngraph.ir.ops.control_masked import mark_indices
from burngraph.ir.ops.logic import LogicalAnd
from burngraph.ir.ops.reduce import Any as AnyOf
from burngraph.ir.types import BOOL, Array, TensorType
from burngraph.ir.value import Emit, Value


@register
@dataclass(frozen=True, eq=False)
class While(Control):
    """Run `body` as long as `cond` holds.

    operands   constants, then the carried values at the start
    results    the carried values at the end

    n_constants   how many constants; both graphs take them, then the carried values
    cond       gives one bool[]
    body       gives the carried values of the next step

    Raises   ShapeError, DTypeError   the graphs do not fit each other or the operands
    """

    name = "while"
    n_constants: int
    cond: Graph
    body: Graph
    linear: tuple[int, ...] = ()

    if not TYPE_CHECKING:

        @property
        def results(self) -> tuple[str, ...]:
            return tuple(f"out{i}" for i in range(len(self.body.results)))

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        check_linear(self, len(types))
        check_params(self, "cond", self.cond, types)
        check_params(self, "body", self.body, types)
        if self.n_constants < 0 or types[self.n_constants :] != self.body.result_types:
            raise ShapeError(
                f"while: @{self.body.name} gives other types than it takes",
                f"takes: {listed(types[max(self.n_constants, 0) :])}",
                f"gives: {listed(self.body.result_types)}",
            )
        if self.cond.result_types != (TensorType(BOOL, ()),):
            raise DTypeError(f"while: @{self.cond.name} gives {listed(self.cond.result_types)}, must give one bool[]")
        return self.body.result_types

    def reference(self, *arrays: Array) -> tuple[Any, ...]:
        given = [np.asarray(a) for a in arrays]
        constants, carried = given[: self.n_constants], tuple(given[self.n_constants :])
        while bool(run(self.cond, *constants, *carried)[0]):
            carried = run(self.body, *constants, *carried)
        return carried

    def graphs(self) -> tuple[Graph, ...]:
        return (self.cond, self.body)

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        cond, body = graphs
        return While(self.n_constants, cond, body, self.linear)

    def bindings(self) -> tuple[list[list[Value]], list[list[Value]]]:
        given = list(map(list, zip(self.cond.params, self.body.params, strict=True)))
        carried = given[self.n_constants :]
        for values, result in zip(carried, self.body.results, strict=True):
            values.append(result)
        return given, carried

    def count_constants(self) -> int:
        return self.n_constants

    def with_constants(self, graphs: Sequence[Graph], n_more: int, linear: tuple[int, ...]) -> "While":
        cond, body = graphs
        return While(self.n_constants + n_more, cond, body, linear)

    def linearize_nested(self, emit: Emit, linearize: Linearize, *values: Any) -> tuple[Tangent, ...]:
        """A second loop that carries the tangents along.

        The loop without them stays, so that nothing but tangents depends on tangents: a scan around it splits by that.
        """
        n, nc, n_carry = len(self.body.params), self.n_constants, len(self.body.results)
        operands, dots = values[:n], values[n + n_carry :]
        start = {i for i, dot in enumerate(dots) if dot is not None}
        joint, wrt, _ = carried_tangents(linearize, self.body, start, nc, n_carry)
        of = dict(zip(wrt, joint.params[n:], strict=True))
        order = [*(i for i in wrt if i < nc)], [*(i for i in wrt if i >= nc)]
        params = [
            *joint.params[:nc], *(of[i] for i in order[0]), *joint.params[nc:n], *(of[i] for i in order[1])
        ]  # fmt: skip
        all_dots = result_dots(joint, n_carry)
        body = graph_of(joint, params, [*joint.results[:n_carry], *(all_dots[i - nc] for i in order[1])])
        builder = Builder(self.cond.name)
        fresh = {p: builder.param(p.type, p.name) for p in params}
        cond = builder.build(inline(builder, self.cond, [fresh[p] for p in joint.params[:n]]))
        starts = [dots[i] if dots[i] is not None else zeros(emit, operands[i].type) for i in order[1]]
        given = [*operands[:nc], *(dots[i] for i in order[0]), *operands[nc:], *starts]
        linear = (*range(nc, nc + len(order[0])), *range(len(given) - len(starts), len(given)))
        outs = emit.several(While(nc + len(order[0]), cond, body, linear), *given)
        tangents: list[Tangent] = [None] * n_carry
        for i, dot in zip(order[1], outs[n_carry:], strict=True):
            tangents[i - nc] = dot
        return tuple(tangents)

    def transpose_nested(self, emit: Emit, *_: Any) -> tuple[Tangent, ...]:
        raise not_in_reverse(emit)

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Any:
        size, nc = batch_size(operands, is_batched), self.n_constants
        constants, starts = operands[:nc], operands[nc:]
        fixed = is_batched[:nc]
        flags = reached_carries(lambda now: partly_batched_graph(self.body, (*fixed, *now), size)[1], is_batched[nc:])
        if partly_batched_graph(self.cond, (*fixed, *flags), size)[1][0]:
            return self._masked(emit, constants, fixed, starts, is_batched[nc:], size)
        cond = partly_batched_graph(self.cond, (*fixed, *flags), size)[0]
        body = partly_batched_graph(self.body, (*fixed, *flags), size, flags)[0]
        begun = stacked_where(emit, starts, is_batched[nc:], flags, size)
        outs = emit.several(While(nc, cond, body, self.linear), *constants, *begun)
        return one_or_several([v if flag else repeat_leading(emit, v, size) for v, flag in zip(outs, flags, strict=True)])

    def _masked(
        self, emit: Emit, constants: Sequence[Value], fixed: Flags, starts: Sequence[Value], flags: Flags, size: int
    ) -> Any:
        """Run until no example goes on; one that is done keeps its values. Carries whether each goes on, and the values.

        Whether an example goes on is also the mask of the body's indices (`used_where`): of one that is done they may be out of
        range in a further step. In cond it reads again what it read when it ended.
        """
        nc, everywhere = self.n_constants, (True,) * len(starts)
        goes_on, _ = partly_batched_graph(self.cond, (*fixed, *everywhere), size, (True,))
        marked = mark_indices(self.body, (*fixed, *everywhere))
        body_flags = (*fixed, *everywhere) if marked is None else (True, False, *fixed, *everywhere)
        step, _ = partly_batched_graph(self.body if marked is None else marked, body_flags, size, everywhere)
        begun = stacked_where(emit, starts, flags, everywhere, size)
        cond, body = Builder(self.cond.name), Builder(self.body.name)
        types = [*(v.type for v in constants), TensorType(BOOL, (size,)), *(v.type for v in begun)]
        cond_params = [cond.param(t) for t in types]
        any_left = cond.build([cond(AnyOf((0,)), cond_params[nc])])
        params = [body.param(t) for t in types]
        fixed_params, live, now = params[:nc], params[nc], params[nc + 1 :]
        used = [] if marked is None else [live, body(Splat(True, TensorType(BOOL, ())))]
        after = inline(body, step, [*used, *fixed_params, *now])
        kept = [select_by_example(body, live, new, old) for new, old in zip(after, now, strict=True)]
        (still,) = inline(body, goes_on, [*fixed_params, *kept])
        live = body(LogicalAnd(), live, still)
        first = inline(emit, goes_on, [*constants, *begun])
        linear = tuple(i if i < nc else i + 1 for i in self.linear)
        outs = emit.several(While(nc, any_left, body.build([live, *kept]), linear), *constants, *first, *begun)
        return one_or_several(outs[1:])

    def cost(self, *types: TensorType) -> Cost:
        """One step: how many there are is not known."""
        return graph_cost(self.cond) + graph_cost(self.body)


def not_in_reverse(emit: Emit) -> BurngraphError:
    where = [f"in @{emit.name}" + (f", from {emit.source}" if emit.source else "")] if isinstance(emit, Builder) else []
    return RefusedError(
        "while: no reverse derivative",
        "reason: the number of steps is not known, so the values that going back needs cannot be kept for each step",
        *where,
        "use fori_loop with Python ints as bounds, or scan; forward mode (bg.jvp) works",
    )
