"""Partial evaluation: a graph that computes values and tangents, as one that computes values and one that is linear."""

from typing import NamedTuple

from burngraph.ir.graph import Graph
from burngraph.ir.split import split
from burngraph.passes.simplify import drop_unread_nodes


class Split(NamedTuple):
    """primal: parameters -> results, residuals.   linear: residuals, tangents -> tangents of the results."""

    primal: Graph
    linear: Graph
    n_residuals: int


def split_linear(joint: Graph, n_params: int, n_results: int) -> Split:
    """Split what `linearize` gives for a graph of `n_params` and `n_results`, so that its tangents can run many times.

        graph @f(%x, %x_dot) -> y, y_dot          graph @f(%x) -> y, r;   graph @f.linear(%r, %x_dot) -> y_dot

    Residuals are the values that tangents are computed from. What costs nothing is not kept but made again.
    """
    params, tangents = joint.params[:n_params], joint.params[n_params:]
    results, dots = joint.results[:n_results], joint.results[n_results:]
    parts = split(joint, tangents, dots)
    primal = Graph(joint.name, params, parts.early, [*results, *parts.residuals], joint.kinds[:n_params])
    linear = Graph(f"{joint.name}.linear", [*parts.residuals, *tangents], parts.late, dots)
    return Split(drop_unread_nodes(primal), linear, len(parts.residuals))
