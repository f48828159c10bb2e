"""What a batched branch or loop says of its indices: for which examples they are used.

By itself a branch that is not taken reads nothing, and a loop that has ended reads no more. Batched, either runs for every
example as long as one needs it. What it gives the others is thrown away, so that an index of theirs out of range is no error.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.ir.graph import Graph
from burngraph.ir.op import IndexOperand, Op, Permuted, positions_read, register
from burngraph.ir.ops.broadcast import Broadcast, repeat_leading
from burngraph.ir.ops.composite import Composite, decomposition
from burngraph.ir.ops.control import Control
from burngraph.ir.ops.movement import Permute
from burngraph.ir.permutation import Perm, identity
from burngraph.ir.types import BOOL, TensorType
from burngraph.ir.value import Emit, Value


@register
@dataclass(frozen=True, eq=False)
class UsedWhere(Composite):
    """`indices` as they are, said to be used only where `mask` holds, by one op that reads or writes there.

    indices    any integer dtype [*A, ...]
    mask       bool[*E, *A]; an entry is used if the mask holds for any of E. So what all examples share stays one array.

    of, operand           the op that uses them, and the name of its operand
    axes, lows, highs     the axes they count along, the least and the greatest index in range for each
    by_column             the last axis holds one index for each of `axes`; else there is one
    n_aligned             how many axes A are

    Nothing is computed from it. `checks=True` looks at it in place of what is made of the result: that is not looked at again.

    Raises   ShapeError, DTypeError   the operands do not fit each other or the attributes
    """

    name = "used_where"
    operands = ("indices", "mask")
    order_only = ("mask",)
    locally_constant = True
    is_remark = True
    of: str
    operand: str
    axes: tuple[int, ...]
    lows: tuple[int, ...]
    highs: tuple[int, ...]
    by_column: bool = False
    n_aligned: int = 0

    def infer(self, indices: TensorType, mask: TensorType) -> TensorType:
        if not indices.dtype.is_integer or mask.dtype is not BOOL:
            raise DTypeError(f"used_where: takes integers and a bool mask, got {indices} and {mask}")
        n = self.n_aligned
        if not 0 <= n <= min(mask.rank, indices.rank - self.by_column) or mask.shape[mask.rank - n :] != indices.shape[:n]:
            raise ShapeError(f"used_where: the last {n} axes of the mask {mask} are not the first of the indices {indices}")
        columns = indices.shape[-1:] if self.by_column else (1,)
        if not columns == (len(self.axes),) == (len(self.lows),) == (len(self.highs),):
            raise ShapeError(f"used_where: axes {self.axes}, {self.lows} ... {self.highs} do not fit the indices {indices}")
        return indices

    def decompose(self, emit: Emit, indices: Value, mask: Value) -> Value:
        return indices

    def permuted(self, operand_types: tuple[TensorType, ...], index: int, perm: Perm) -> Permuted | None:
        """Any order of A among themselves, of E among themselves, of the other axes unless they hold columns."""
        indices, mask = operand_types
        n, n_extra = self.n_aligned, mask.rank - self.n_aligned
        if index == 1:
            if any(a >= n_extra for a in perm[:n_extra]):
                return None
            of_mask, of_indices = perm, (*(a - n_extra for a in perm[n_extra:]), *range(n, indices.rank))
        else:
            if any(a >= n for a in perm[:n]) or (self.by_column and perm[-1] != indices.rank - 1):
                return None
            of_mask, of_indices = (*identity(n_extra), *(n_extra + a for a in perm[:n])), perm
        return Permuted(self, (of_indices, of_mask), (of_indices,))

    def batched(self, emit: Emit, operands: tuple[Value, ...], is_batched: tuple[bool, ...]) -> Value:
        """A mask by example makes no indices by example of shared ones: `order_only`, so that batching passes over it."""
        indices, mask = operands
        n_extra = len(mask.shape) - is_batched[1] - self.n_aligned
        if not is_batched[0]:
            indices = repeat_leading(emit, indices, mask.shape[0])
        if not is_batched[1]:
            mask = emit(Broadcast((*mask.shape[:n_extra], indices.shape[0], *mask.shape[n_extra:]), (n_extra,)), mask)
        elif n_extra:
            mask = emit(Permute((*range(1, n_extra + 1), 0, *range(n_extra + 1, len(mask.shape)))), mask)
        return emit(replace(self, n_aligned=self.n_aligned + 1), indices, mask)

    def index_operands(self, indices: TensorType, mask: TensorType) -> tuple[IndexOperand, ...]:
        return (IndexOperand(0, self.axes, self.lows, self.highs, self.by_column),)


def indexes(op: Op, types: Sequence[TensorType | None]) -> bool:
    """Whether the op indexes, itself or in a graph of its own or one that it decomposes into."""
    if op.index_operands(*types):
        return True
    graphs = op.graphs()
    if not graphs and callable(getattr(op, "decompose", None)):
        graphs = (decomposition(op, tuple(types)),)
    return any(indexes(n.op, n.operand_types) for graph in graphs for n in graph.nodes)


def spoken_for(graph: Graph, given: Iterable[Value] = ()) -> set[Value]:
    """The indices in `graph` that a used_where speaks for: its result, and what other ops make of it to index with.

    given   parameters that are such indices

    Only the op that a used_where names reads its result. Where that is batched, differentiated or decomposed, others reshape
    the indices, count them from 0, keep them from step to step, and index with that; what is read there is data again.
    """
    found = set(given)
    for node in graph.nodes:
        op = node.op
        if isinstance(op, UsedWhere):
            found.update(node.results)
        elif isinstance(op, Control):
            found.update(_spoken_for_by_control(op, node.operands, node.results, found))
        elif any(node.operands[i] in found for i in positions_read(op, len(node.operands))):
            if not indexes(op, node.operand_types):
                found.update(v for v in node.results if v.type.dtype.is_integer)
    return found


def spoken_for_inside(op: Control, operands: Sequence[Value | None], found: set[Value]) -> set[Value]:
    """The parameters of the nested graphs that are operands in `found` or slices of them."""
    return {
        graph.params[i]
        for graph in op.graphs()
        for i, operand in enumerate(operands[op.n_before :])
        if operand in found and (i < op.count_constants() or op.is_sliced(i + op.n_before))
    }


def _spoken_for_by_control(op: Control, operands: Any, results: Sequence[Value], found: set[Value]) -> list[Value]:
    given = spoken_for_inside(op, operands, found)
    inside = {v for graph in op.graphs() for v in spoken_for(graph, given.intersection(graph.params))}
    one_sided, (_, made) = op.one_sided(), op.bindings()
    return [
        result
        for k, (result, values) in enumerate(zip(results, made, strict=True))
        if all(v in inside for v in (values if k not in one_sided else [values[one_sided[k]]]))
    ]
