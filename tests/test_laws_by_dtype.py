"""The laws of infer, text and layout on every dtype that an op takes; conformance.py has MLX, derivatives and batching."""

from itertools import permutations

import numpy as np
import pytest

from burngraph.ir.builder import infer_types
from burngraph.ir.interpret import ArrayValue, evaluate
from burngraph.ir.text import parse
from tests.conformance import TOLERANCE, Swapped, one_op, swaps_by_op

SWAPS = swaps_by_op()
MOST_PERMUTATIONS = 6  # per operand: all of rank 3, some of higher ranks


@pytest.mark.full
@pytest.mark.parametrize("swaps", SWAPS.values(), ids=list(SWAPS))
def test_infer_text_and_layout(swaps):
    for swapped in swaps:
        if swapped.refusal() is None:
            check(swapped)


def check(swapped: Swapped) -> None:
    graph = one_op(swapped)
    assert parse(str(graph)) == graph
    op, arrays = swapped.sample.op, swapped.arrays()
    kinds = tuple(None if a is None else ArrayValue(a).type for a in arrays)
    types = infer_types(op, kinds)
    want = evaluate(op, arrays, types)  # refuses a reference of another shape
    given = [(i, a.ndim) for i, a in enumerate(arrays) if a is not None] + [(~k, t.rank) for k, t in enumerate(types)]
    for index, rank in given:
        for perm in list(permutations(range(rank)))[:MOST_PERMUTATIONS]:
            found = op.permuted(kinds, index, perm)
            if found is None:
                continue
            moved = [None if a is None else a.transpose(p) for a, p in zip(arrays, found.operands, strict=True)]
            wanted = [y.transpose(p) for y, p in zip(want, found.results, strict=True)]
            got = evaluate(found.op, moved, [ArrayValue(w).type for w in wanted])
            for a, b, type in zip(got, wanted, types, strict=True):
                bound = TOLERANCE.get(type.dtype.name, 0.0)
                wide = np.complex128 if a.dtype.kind == "c" else np.float64
                np.testing.assert_allclose(a.astype(wide), b.astype(wide), rtol=bound, atol=bound, err_msg=f"{swapped} {perm}")
