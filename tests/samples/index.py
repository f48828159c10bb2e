"""Samples of indexing; the default range of i32 indices, -4 ... 3, puts some out of range."""

import numpy as np

from burngraph.ir.ops.index import AddAlong, AddAt, GatherNd, Take, TakeAlong
from burngraph.ir.ops.used_where import UsedWhere
from tests.samples import Sample, t

SAMPLES = [
    Sample(Take(1), (t("f32[2,3,4]"), t("i32[5,2]"))),
    Sample(Take(0), (t("f32[2,3]"), t("i32[]"))),
    Sample(Take(1), (t("bool[2,3]"), t("u8[4]"))),
    Sample(Take(0), (t("bf16[2,3]"), t("i64[0]"))),
    Sample(AddAt(1, 3), (t("f32[2,5,2,4]"), t("i32[5,2]"))),
    Sample(AddAt(0, 3), (t("f16[5]"), t("u64[5]"))),
    Sample(TakeAlong(1), (t("f32[2,3,4]"), t("i32[2,5,4]"))),
    Sample(TakeAlong(0), (t("i64[3]"), t("u32[4]"))),
    Sample(AddAlong(1, 3), (t("f32[2,5,4]"), t("i32[2,5,4]"))),
    Sample(GatherNd((2, 0)), (t("f32[2,3,4]"), t("i32[3,5,2]"))),
    Sample(GatherNd((1,)), (t("f32[2,3]"), t("i32[1]"))),
    Sample(GatherNd((0, 1)), (t("bool[2,3]"), t("i8[4,2]"))),
    Sample(GatherNd((0,)), (t("f32[0,2]"), t("i32[0,1]"))),
    Sample(
        UsedWhere("used_where", "indices", (0,), (-3,), (2,), n_aligned=1),
        (t("i32[2,3]"), t("bool[2]")),
        arrays=(np.array([[0, 3, -4], [1, 2, -3]], np.int32), np.ones(2, bool)),
    ),
    Sample(UsedWhere("take", "indices", (1,), (-3,), (2,)), (t("i64[2,3,4]"), t("bool[]"))),
    Sample(UsedWhere("gather_nd", "indices", (0, 1), (-2, -3), (1, 2), True, 2), (t("u8[3,4,2]"), t("bool[5,6,3,4]"))),
]
