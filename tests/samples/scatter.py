"""Samples of writing at indices; the default range of i32 indices, -4 ... 3, repeats some and puts others out of range."""

import numpy as np

from burngraph.ir.ops.scatter import REDUCTIONS, ScatterAlong, ScatterNd, SliceAssign
from tests.samples import Sample, t

ZEROS = np.array([[0.0, 0.5, -1.5], [2.0, 0.0, 1.0]])
FACTORS = np.array([[3.0, 0.0], [-2.0, 0.0], [0.5, 1.5]])

GRID = np.random.default_rng(0).permutation(100) / 10 - 4.95  # no two are equal, so that no extremum is at a tie
X, UPDATES = GRID[:24].reshape(2, 3, 4), GRID[24:64].reshape(2, 5, 4)
INDICES = np.random.default_rng(1).integers(-4, 4, (2, 5, 4))
ALONG = (t("f32[2,3,4]"), t("i32[2,5,4]"), t("f32[2,5,4]"))
ND = (t("f32[2,3,4]"), t("i32[3,2,2]"), t("f32[3,2,3]"))

SAMPLES = [
    *(Sample(ScatterAlong(1, r), ALONG, arrays=(X, INDICES, UPDATES)) for r in ("minimum", "maximum")),
    *(
        Sample(
            ScatterNd((2, 0), r), ND, arrays=(X, INDICES[:1].reshape(-1)[:12].reshape(3, 2, 2), GRID[24:42].reshape(3, 2, 3))
        )
        for r in ("minimum", "maximum")
    ),
    *(Sample(ScatterAlong(1, r), ALONG) for r in ("set", "add", "multiply")),
    *(Sample(ScatterNd((2, 0), r), ND) for r in ("set", "add", "multiply")),
    *(Sample(ScatterNd((0, 1), r), (t("i32[2,3]"), t("i32[4,2]"), t("i32[4]"))) for r in REDUCTIONS),
    *(Sample(ScatterAlong(0, r), (t("u64[2]"), t("i8[4]"), t("u64[4]"))) for r in REDUCTIONS),
    *(Sample(ScatterNd((1,), r), (t("i8[2,3]"), t("i64[4,1]"), t("i8[4,2]"))) for r in REDUCTIONS),
    *(Sample(ScatterAlong(0, r), (t("bool[3,2]"), t("u8[4,2]"), t("bool[4,2]"))) for r in REDUCTIONS),
    *(Sample(ScatterNd((0,), r), (t("bf16[3,2]"), t("u32[5,1]"), t("bf16[5,2]"))) for r in REDUCTIONS),
    Sample(ScatterAlong(0, "set"), (t("f16[3]"), t("u64[1]"), t("f16[1]"))),
    Sample(ScatterNd((0, 1), "set"), (t("f32[2,3]"), t("i32[2]"), t("f32[]"))),
    Sample(ScatterNd((0, 1), "add"), (t("f32[2,3]"), t("i32[0,2]"), t("f32[0]"))),
    Sample(ScatterNd((0,), "set"), (t("f32[0,3]"), t("i32[2,1]"), t("f32[2,3]"))),
    Sample(ScatterAlong(1, "maximum"), (t("f32[2,0]"), t("i32[2,1]"), t("f32[2,1]"))),
    Sample(ScatterAlong(0, "add"), (t("c64[3]"), t("i32[4]"), t("c64[4]"))),
    Sample(
        ScatterNd((0, 1), "multiply"),
        (t("f32[2,3]"), t("i32[3,2,2]"), t("f32[3,2]")),
        arrays=(np.abs(ZEROS) + 1, np.array([[[0, 1], [0, 2]], [[0, 1], [1, 0]], [[1, 0], [5, 0]]]), FACTORS),
    ),
    Sample(SliceAssign((0, 1, 1), (2, 3, 4), (1, 1, 2)), (t("f32[2,3,4]"), t("f32[2,2,2]"))),
    Sample(SliceAssign((1, 0), (2, 2), (1, 1)), (t("i32[2,3]"), t("i32[1,2]"))),
    Sample(SliceAssign((0, 0), (3, 4), (2, 3)), (t("bool[3,4]"), t("bool[2,2]"))),
    Sample(SliceAssign((1,), (1,), (1,)), (t("f32[3]"), t("f32[0]"))),
    Sample(SliceAssign((), (), ()), (t("bf16[]"), t("bf16[]"))),
]
