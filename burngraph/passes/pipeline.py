"""The passes in their order, each verified after it ran."""

from collections.abc import Callable, Sequence

from burngraph.errors import BurngraphError, InputError
from burngraph.ir.builder import map_nested_graphs
from burngraph.ir.collector import collector_paused
from burngraph.ir.graph import Graph
from burngraph.ir.ops.control_hoist import hoist_invariants
from burngraph.ir.share import share_equal_nodes
from burngraph.ir.verify import verify
from burngraph.passes.eliminate_layout import eliminate_layout
from burngraph.passes.factor_contractions import factor_contractions
from burngraph.passes.lift_permutes import lift_permutes
from burngraph.passes.merge_movement import merge_movement
from burngraph.passes.order_nodes import order_nodes
from burngraph.passes.simplify import drop_unread_nodes, fold_constants, inline_calls

Pass = Callable[[Graph], Graph]
LAYOUT = "eliminate-layout"

PIPELINE: tuple[tuple[str, Pass], ...] = (
    ("inline-calls", inline_calls),  # first: the other passes look at one flat graph
    ("fold-constants", fold_constants),
    ("hoist-invariants", hoist_invariants),  # before layout, which takes what is inside a loop for data
    ("merge-movement", merge_movement),
    ("factor-contractions", factor_contractions),  # before layout: a flattened activation would be a wall to it
    ("share-equal-nodes", share_equal_nodes),  # before layout, which charges a copy once per value
    ("drop-unread-nodes", drop_unread_nodes),  # before layout, so that dead readers force nothing
    ("lift-permutes", lift_permutes),  # before layout, which does not see what moves inside a loop
    (LAYOUT, eliminate_layout),
    ("merge-movement-again", merge_movement),  # permutes of parameters meet here
    ("share-equal-nodes-again", share_equal_nodes),
    ("order-nodes", order_nodes),  # last: the order the others leave depends on how the code was written
)


# They may change the order in which the numbers of a sum are added; all others give the same bits.
REASSOCIATING = ("factor-contractions", "lift-permutes", LAYOUT)
PRECISIONS = ("exact", "reassociate", "fast")


def check_passes(passes: Sequence[str] | None) -> None:
    """Raise InputError for a name that is no pass."""
    known = [name for name, _ in PIPELINE]
    unknown = [name for name in passes or () if name not in known]
    if unknown:
        raise InputError(f"no pass {unknown[0]!r}", "passes: " + ", ".join(known))


def passes_within(precision: str, passes: Sequence[str] | None) -> Sequence[str] | None:
    """The names among `passes` (None for all) that `precision` allows.

    precision   "exact": only passes that keep every bit; "reassociate": sums may be added in another order; "fast": rewrites
                that approximate too, of which there are none yet

    Raises   InputError   no such precision, no such pass, or a pass named that the precision forbids
    """
    if precision not in PRECISIONS:
        raise InputError(f"no precision {precision!r}", "precisions: " + ", ".join(PRECISIONS))
    check_passes(passes)
    if precision != "exact":
        return passes
    forbidden = [name for name in passes or () if name in REASSOCIATING]
    if forbidden:
        raise InputError(f"pass {forbidden[0]!r} reassociates, precision='exact' forbids it", "leave one of the two out")
    return [name for name, _ in PIPELINE if name not in REASSOCIATING] if passes is None else passes


def run_everywhere(run: Pass, graph: Graph) -> Graph:
    """`run` on the graphs nested in `graph`, innermost first, then on `graph`."""
    return run(map_nested_graphs(graph, lambda nested: run_everywhere(run, nested)))


def run_pipeline(graph: Graph, passes: Sequence[str] | None = None) -> list[tuple[str, Graph]]:
    """Every stage as (name, graph): ("trace", graph) first, then one per pass, in order.

    passes   names of the passes to run, a subset of PIPELINE in any order; None for all

    Raises   InputError    a name that is no pass
             VerifyError   a pass broke the graph: names it and those that ran before
    """
    check_passes(passes)
    with collector_paused():
        stages = [("trace", verify(graph))]
        for name, run in PIPELINE:
            if passes is not None and name not in passes:
                continue
            try:
                stages.append((name, verify(run_everywhere(run, stages[-1][1]))))
            except BurngraphError as error:
                raise error.add("in pass " + name + ", after " + ", ".join(stage for stage, _ in stages)) from None
    return stages
