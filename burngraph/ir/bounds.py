"""What is known of integer values before they exist: the least and greatest entry each can have.

Indexing drops its guards where every index is proved in range. The proof is made here, from the ops alone: a graph cannot
assert it, as text and files may come from strangers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from burngraph.ir.graph import Graph, Node
from burngraph.ir.op import OPS
from burngraph.ir.ops.arithmetic import Add, Maximum, Minimum, Mul, Neg, Remainder, Sub
from burngraph.ir.ops.broadcast import Broadcast
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Select
from burngraph.ir.ops.constant import Constant, Iota, Splat
from burngraph.ir.ops.control import Control
from burngraph.ir.ops.index import GatherNd, Take, TakeAlong
from burngraph.ir.ops.movement import Concat, Flip, Permute, Reshape, Slice
from burngraph.ir.ops.reduce import ArgMax, ArgMin, Max, Min
from burngraph.ir.types import DType
from burngraph.ir.value import Value

Bounds = tuple[int, int]

# The result's entries are among the entries of the first operand.
SELECTING = (Broadcast, Flip, GatherNd, Max, Min, Permute, Reshape, Slice, Take, TakeAlong)


def dtype_bounds(dtype: DType) -> Bounds:
    """The least and greatest number of an integer dtype; of bool, 0 and 1."""
    if dtype.kind == "bool":
        return 0, 1
    info = np.iinfo(dtype.numpy)
    return int(info.min), int(info.max)


def integer_bounds(graph: Graph, known: Mapping[Value, Bounds] | None = None) -> dict[Value, Bounds]:
    """Bounds of every integer value of `graph`; `known` has those of some parameters, where the graph around gives them."""
    found = {p: dtype_bounds(p.type.dtype) for p in graph.params if p.type.dtype.is_integer} | dict(known or {})
    for node in graph.nodes:
        for result in node.results:
            if result.type.dtype.is_integer:
                found[result] = _bounds(node, result, found)
    return found


def bounds_inside(op: Control, operands: Sequence[Value], found: Mapping[Value, Bounds]) -> dict[Value, Bounds]:
    """Bounds of the parameters of nested graphs that are operands or slices of them; carried values have none."""
    return {
        graph.params[i]: found[operand]
        for graph in op.graphs()
        for i, operand in enumerate(operands[op.n_before :])
        if operand in found and (i < op.count_constants() or op.is_sliced(i + op.n_before))
    }


def _bounds(node: Node, result: Value, found: dict[Value, Bounds]) -> Bounds:
    low, high = dtype_bounds(result.type.dtype)
    known: Any = _of_source(node.op) if not node.operands else _of_op(node, [found.get(v) for v in node.values_read], result)
    # beyond the dtype an integer wraps, so that nothing is known of it
    return known if known is not None and low <= known[0] and known[1] <= high else (low, high)


def _of_source(op: Any) -> Bounds | None:
    if isinstance(op, Splat):
        return int(op.value), int(op.value)  # type: ignore[arg-type]
    if isinstance(op, Iota):
        return 0, max(op.type.shape[op.axis] - 1, 0)
    if isinstance(op, Constant) and op.values:
        values = [int(v) for v in op.values]  # type: ignore[arg-type]
        return min(values), max(values)
    return None


def _of_op(node: Node, reads: list[Bounds | None], result: Value) -> Bounds | None:
    op, first = node.op, node.values_read[0]
    if isinstance(op, ArgMax | ArgMin):
        return 0, max(first.shape[op.axis] - 1, 0)
    if op.name == "arg_sort" and "arg_sort" in OPS:
        return 0, max(first.shape[op.axis] - 1, 0)  # type: ignore[attr-defined]
    if isinstance(op, Cast) and first.type.dtype.kind == "bool":
        return 0, 1
    if isinstance(op, Select):
        reads = reads[1:]
    if any(r is None for r in reads):
        return None
    known = [r for r in reads if r is not None]
    (a, b), *rest = known
    if isinstance(op, (Cast, *SELECTING)):
        return a, b
    if isinstance(op, Select | Concat):
        return min(low for low, _ in known), max(high for _, high in known)
    if isinstance(op, Neg):
        return -b, -a
    if len(rest) != 1:
        return None
    ((c, d),) = rest
    if isinstance(op, Add):
        return a + c, b + d
    if isinstance(op, Sub):
        return a - d, b - c
    if isinstance(op, Mul):
        corners = (a * c, a * d, b * c, b * d)
        return min(corners), max(corners)
    if isinstance(op, Minimum):
        return min(a, c), min(b, d)
    if isinstance(op, Maximum):
        return max(a, c), max(b, d)
    if isinstance(op, Remainder) and c > 0:
        return 0, d - 1
    return None
