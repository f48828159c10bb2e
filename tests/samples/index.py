"""Samples of indexing."""

from burngraph.ir.ops.index import AddAlong, AddAt, Take, TakeAlong
from tests.samples import Sample, t

SAMPLES = [
    Sample(Take(1), (t("f32[2,3,4]"), t("i32[5,2]"))),
    Sample(Take(0), (t("f32[2,3]"), t("i32[]"))),
    Sample(AddAt(1, 3), (t("f32[2,5,2,4]"), t("i32[5,2]"))),
    Sample(TakeAlong(1), (t("f32[2,3,4]"), t("i32[2,5,4]"))),
    Sample(AddAlong(1, 3), (t("f32[2,5,4]"), t("i32[2,5,4]"))),
]
