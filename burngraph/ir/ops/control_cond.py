"""Cond: one of two graphs, chosen by a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.builder import Builder, inline
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import run
from burngraph.ir.op import Cost, Linearized, Op, Tangent, register, zeros
from burngraph.ir.ops.broadcast import repeat_leading
from burngraph.ir.ops.composite import graph_cost, partly_batched_graph
from burngraph.ir.ops.control import (
    Control,
    Linearize,
    Transpose,
    batch_size,
    check_linear,
    check_params,
    graph_of,
    listed,
    one_or_several,
    result_dots,
    select_by_example,
)
from burngraph.ir.ops.control_masked import mark_indices
from burngraph.ir.ops.logic import LogicalNot
from burngraph.ir.ops.reduce import Any as AnyOf
from burngraph.ir.split import dependents, split
from burngraph.ir.types import BOOL, Array, TensorType
from burngraph.ir.value import Emit, Value


@register
@dataclass(frozen=True, eq=False)
class Cond(Control):
    """The results of one of two graphs, the other is not run.

    pred       bool[]
    operands   one per parameter of both graphs, which agree in the types of parameters and results

    on_true    runs where pred holds
    on_false   runs where it does not

    only_true, only_false
             positions of results that only one branch gives, and that nothing reads where the other ran, which gives zeros

    A batched predicate runs both graphs and selects; a loop in one of them must then end for every example. What only one
    branch gives is then that, for every example: a derivative runs both branches again on it, and zeros may make nan. Indices
    keep a mask of the examples that a branch is for (`used_where`): those of the others are out of range by right.

    Raises   ShapeError, DTypeError   pred is no scalar bool, or the graphs do not fit
    """

    name = "cond"
    operands = ("pred", "xs*")
    n_before = 1
    repeats = False
    on_true: Graph
    on_false: Graph
    linear: tuple[int, ...] = ()
    only_true: tuple[int, ...] = ()
    only_false: tuple[int, ...] = ()

    if not TYPE_CHECKING:

        @property
        def results(self) -> tuple[str, ...]:
            return tuple(f"out{i}" for i in range(len(self.on_true.results)))

    def infer(self, pred: TensorType, *types: TensorType) -> tuple[TensorType, ...]:
        if pred.dtype is not BOOL:
            raise DTypeError(f"cond: the predicate is {pred}, must be bool", "compare it, as in x != 0")
        if pred.rank != 0:
            raise ShapeError(f"cond: the predicate is {pred}, must be a scalar", "reduce it with all or any, or use where")
        check_linear(self, 1 + len(types))
        check_params(self, "on_true", self.on_true, types)
        check_params(self, "on_false", self.on_false, types)
        if self.on_true.result_types != self.on_false.result_types:
            raise ShapeError(
                "cond: the branches give other types",
                f"on_true: {listed(self.on_true.result_types)}",
                f"on_false: {listed(self.on_false.result_types)}",
            )
        one_sided = [*self.only_true, *self.only_false]
        if len(set(one_sided)) < len(one_sided) or not set(one_sided) <= set(range(len(self.results))):
            raise ShapeError(f"cond: only_true={list(self.only_true)} and only_false={list(self.only_false)} are no results")
        return self.on_true.result_types

    def reference(self, pred: Array, *arrays: Array) -> tuple[Any, ...]:
        return run(self.on_true if bool(pred) else self.on_false, *map(np.asarray, arrays))

    def graphs(self) -> tuple[Graph, ...]:
        return (self.on_true, self.on_false)

    def with_graphs(self, graphs: Sequence[Graph]) -> Op:
        on_true, on_false = graphs
        return Cond(on_true, on_false, self.linear, self.only_true, self.only_false)

    def bindings(self) -> tuple[list[list[Value]], list[list[Value]]]:
        a, b = self.graphs()
        return list(map(list, zip(a.params, b.params, strict=True))), list(map(list, zip(a.results, b.results, strict=True)))

    def count_constants(self) -> int:
        return len(self.on_true.params)

    def one_sided(self) -> dict[int, int]:
        return dict.fromkeys(self.only_true, 0) | dict.fromkeys(self.only_false, 1)

    def with_constants(self, graphs: Sequence[Graph], n_more: int, linear: tuple[int, ...]) -> "Cond":
        on_true, on_false = graphs
        return Cond(on_true, on_false, linear, self.only_true, self.only_false)

    def linearize_nested(self, emit: Emit, linearize: Linearize, *values: Any) -> Linearized:
        """A cond that also gives what the tangents need of its branch, and a linear cond that reads it.

        What the other branch would have given is zeros, and not read.
        """
        n, n_results = len(self.on_true.params), len(self.results)
        pred, operands, dots = values[0], values[1 : n + 1], values[n + 1 + n_results + 1 :]
        wrt = [i for i, dot in enumerate(dots) if dot is not None]
        joints = [linearize(graph, wrt) for graph in self.graphs()]
        reached = [dependents(joint, joint.params[n:]) for joint in joints]
        all_dots = [result_dots(joint, n_results) for joint in joints]
        moving = [i for i in all_dots[0] if any(found[i] in seen for found, seen in zip(all_dots, reached, strict=True))]
        parts = [
            split(joint, joint.params[n:], [found[i] for i in moving]) for joint, found in zip(joints, all_dots, strict=True)
        ]
        kept = [[v for v in part.residuals if v not in joint.params] for part, joint in zip(parts, joints, strict=True)]
        primal = self._primal(joints, kept)
        outs = emit.several(primal, pred, *operands)
        linear = []
        for k, (joint, part, found) in enumerate(zip(joints, parts, all_dots, strict=True)):
            others = [Value(v.type) for v in kept[1 - k]]
            residuals = [*kept[0], *others] if k == 0 else [*others, *kept[1]]
            params = [*joint.params[:n], *residuals, *joint.params[n:]]
            linear.append(graph_of(joint, params, [found[i] for i in moving], part.late))
        read = [i for i in range(n) if any(joint.params[i] in p.residuals for joint, p in zip(joints, parts, strict=True))]
        unread = set(range(n)) - set(read)
        graphs = [Graph(g.name, [p for i, p in enumerate(g.params) if i not in unread], g.nodes, g.results) for g in linear]
        given = [*(operands[i] for i in read), *outs[n_results:], *(dots[i] for i in wrt)]
        tangents: list[Tangent] = [None] * n_results
        if moving:
            positions = tuple(range(1 + len(given) - len(wrt), 1 + len(given)))
            op = Cond(graphs[0], graphs[1], positions)
            for i, dot in zip(moving, emit.several(op, pred, *given), strict=True):
                tangents[i] = dot
        return Linearized(outs[:n_results], tuple(tangents))

    def _primal(self, joints: list[Graph], kept: list[list[Value]]) -> "Cond":
        n, n_results = len(self.on_true.params), len(self.results)
        graphs = []
        for k, joint in enumerate(joints):
            plain = graph_of(joint, joint.params[:n], [*joint.results[:n_results], *kept[k]])
            builder = Builder(joint.name)
            values = inline(builder, plain, [builder.param(p.type, p.name) for p in plain.params])
            builder.source = None
            others = [zeros(builder, v.type) for v in kept[1 - k]]
            own = list(values[n_results:])
            graphs.append(builder.build([*values[:n_results], *([*own, *others] if k == 0 else [*others, *own])]))
        first, second = n_results, n_results + len(kept[0])
        only_true = (*self.only_true, *range(first, second))
        only_false = (*self.only_false, *range(second, second + len(kept[1])))
        return Cond(graphs[0], graphs[1], (), only_true, only_false)

    def transpose_nested(
        self, emit: Emit, transpose: Transpose, into: Sequence[int], result_bars: Sequence[Value | None],
        operands: Sequence[Value],
    ) -> tuple[Tangent, ...]:  # fmt: skip
        wanted = [i for i, bar in enumerate(result_bars) if bar is not None]
        graphs = []
        for graph in self.graphs():
            asked = graph_of(graph, graph.params, [graph.results[i] for i in wanted])
            graphs.append(transpose(asked, [i - 1 for i in self.linear], range(len(wanted))))
        given = [v for i, v in enumerate(operands) if i not in self.linear]
        n = len(given)
        back = Cond(graphs[0], graphs[1], tuple(range(n, n + len(wanted))))
        bars = emit.several(back, *given, *(bar for bar in result_bars if bar is not None))
        by_position = dict(zip(self.linear, bars, strict=True))
        return tuple(by_position[i] for i in into)

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Any:
        size = batch_size(operands, is_batched)
        if not is_batched[0]:
            stacked = [partly_batched_graph(g, is_batched[1:], size)[1] for g in self.graphs()]
            wanted = [a or b for a, b in zip(*stacked, strict=True)]
            graphs = [partly_batched_graph(g, is_batched[1:], size, wanted)[0] for g in self.graphs()]
            outs = emit.several(self.with_graphs(graphs), *operands)
            return one_or_several([v if w else repeat_leading(emit, v, size) for v, w in zip(outs, wanted, strict=True)])
        pred = operands[0]
        found = [self._for_all(emit, k, operands, is_batched, size) for k in range(2)]
        one_sided, pairs = self.one_sided(), enumerate(zip(*found, strict=True))
        return one_or_several(
            [found[one_sided[k]][k] if k in one_sided else select_by_example(emit, pred, a, b) for k, (a, b) in pairs]
        )

    def _for_all(
        self, emit: Emit, branch: int, operands: tuple[Value, ...], is_batched: tuple[bool, ...], size: int
    ) -> tuple[Value, ...]:
        """What branch 0, on_true, or 1 gives for every example; its indices are used by those that it is for."""
        graph, flags = self.graphs()[branch], is_batched[1:]
        pred, *given = operands
        marked = mark_indices(graph, flags)
        if marked is not None:
            graph, flags = marked, (True, False, *flags)
            used = pred if branch == 0 else emit(LogicalNot(), pred)
            given = [used, emit(AnyOf((0,)), used), *given]
        return inline(emit, partly_batched_graph(graph, flags, size, (True,) * len(self.results))[0], given)

    def cost(self, *types: TensorType) -> Cost:
        """The dearer branch, count by count."""
        a, b = (graph_cost(graph) for graph in self.graphs())
        return Cost(*(max(pair) for pair in zip(a, b, strict=True)))
