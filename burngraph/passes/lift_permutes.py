"""Permutes taken out of loops, so that they run once and not in every step, and so that the layout pass sees them. Exact.

%y = scan(%h, body=graph @f(%h) {            %0 = permute(%h, axes=[0,2,3,1])
  %0 = permute(%h, axes=[0,2,3,1])           %1 = scan(%0, body=graph @f(%0) {
  %1 = conv(%0, ...)                           %1 = conv(%0, ...)
  %2 = permute(%1, axes=[0,3,1,2])             return %1
  return %2                                  })
})                                           %y = permute(%1, axes=[0,3,1,2])
"""

from collections.abc import Iterator, Sequence

from burngraph.ir.builder import Rewriter
from burngraph.ir.graph import Graph
from burngraph.ir.op import Permuted
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.control import Control
from burngraph.ir.ops.control_scan import Scan
from burngraph.ir.ops.movement import Permute
from burngraph.ir.permutation import Perm, inverse, is_identity, moves_data
from burngraph.ir.permute_graph import permuted_bytes
from burngraph.ir.value import Value

UNKNOWN_STEPS = 8  # of a while


def lift_permutes(graph: Graph) -> Graph:
    """Run each loop in the layout in which its steps move the fewest bytes, if that pays for permutes around it."""
    if not any(isinstance(node.op, Control) and node.op.repeats for node in graph.nodes):
        return graph
    rewriter = Rewriter(graph)
    free: set[Value] = set()  # a splat is made in any layout
    for node in graph.nodes:
        rewriter.source = node.source
        if not isinstance(node.op, Control) or not node.op.repeats:
            copied = rewriter.copy(node)
            free.update(copied if isinstance(node.op, Splat) else ())
            continue
        op, operands = node.op, [v for v in rewriter.operands(node) if v is not None]
        perms = [tuple(range(v.type.rank)) for v in node.results]
        while (found := _better(op, operands, free)) is not None:
            assert isinstance(found.op, Control)
            op = found.op
            operands = [_permuted(rewriter, v, perm or ()) for v, perm in zip(operands, found.operands, strict=True)]
            perms = [tuple(a[b] for b in perm) for a, perm in zip(perms, found.results, strict=True)]
        results = rewriter.several(op, *operands)
        rewriter.replace(node, [_permuted(rewriter, v, inverse(perm)) for v, perm in zip(results, perms, strict=True)])
    return rewriter.finish()


def _permuted(rewriter: Rewriter, value: Value, axes: Perm) -> Value:
    return value if is_identity(axes) else rewriter(Permute(axes), value)


def _better(op: Control, operands: Sequence[Value], free: set[Value]) -> Permuted | None:
    """The first way to run `op` that moves fewer bytes, all its steps and the permutes around it together."""
    steps = op.length if isinstance(op, Scan) else UNKNOWN_STEPS
    before = sum(map(permuted_bytes, op.graphs()))
    if not before:
        return None
    types = tuple(v.type for v in operands)
    for start, perm in _wishes(op):
        found = op.laid_out(types, start, perm)
        if found is None:
            continue
        saved = before - sum(map(permuted_bytes, found.op.graphs()))
        moved = [(v.type, axes) for v, axes in zip(operands, found.operands, strict=True) if v not in free]
        moved += zip(op.infer(*types), found.results, strict=True)
        if saved * steps > sum(t.bytes for t, axes in moved if axes and moves_data(axes, t.shape)):
            return found
    return None


def _wishes(op: Control) -> Iterator[tuple[Value, Perm]]:
    """Layouts of values inside in which a permute would move nothing: its operand as its result is, or the other way."""
    for graph in op.graphs():
        for node in graph.nodes:
            if isinstance(node.op, Permute) and moves_data(node.op.axes, node.values_read[0].shape):
                yield node.values_read[0], node.op.axes
                yield node.results[0], inverse(node.op.axes)
