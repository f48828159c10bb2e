"""Samples of sort."""

import numpy as np

from burngraph.ir.ops.sort import ArgSort, ArgTopk, SearchSorted, Sort
from tests.samples import Sample, t

TIES = (np.array([[2, -1, 2, 0, -1], [0, 0, 3, 3, 0], [1, 1, 1, 1, 1]]),)
NAN = (np.array([[np.nan, -0.0, np.inf, 0.0], [1.0, np.nan, -np.inf, np.nan]]),)
TYPES = ("f32", "f16", "bf16", "i8", "i32", "i64", "u8", "u16", "u64", "bool")
FLAGS = (False, True)

SAMPLES = [
    *(Sample(Sort(axis, flag), (t("f32[2,3,4]"),), spread=True) for axis in range(3) for flag in FLAGS),
    *(Sample(ArgSort(axis, flag), (t("f32[2,3,4]"),), spread=True) for axis in (0, 2) for flag in FLAGS),
    *(Sample(op(1, flag), (t(f"{d}[3,5]"),), arrays=TIES) for op in (Sort, ArgSort) for d in TYPES[1:] for flag in FLAGS),
    *(Sample(ArgSort(1, flag), (t("i32[3,5]"),), arrays=TIES) for flag in FLAGS),
    *(Sample(ArgSort(1, flag), (t(f"{d}[2,4]"),), arrays=NAN) for d in TYPES[:3] for flag in FLAGS),
    *(Sample(op(a, flag), (t("f32[0,3]"),)) for op in (Sort, ArgSort) for a in (0, 1) for flag in FLAGS),
    *(Sample(ArgTopk(2, 1, flag), (t("f32[2,3,4]"),), spread=True) for flag in FLAGS),
    *(Sample(ArgTopk(3, 1, flag), (t(f"{d}[3,5]"),), arrays=TIES) for d in TYPES for flag in FLAGS),
    *(Sample(ArgTopk(2, 1, flag), (t(f"{d}[2,4]"),), arrays=NAN) for d in TYPES[:3] for flag in FLAGS),
    *(Sample(ArgTopk(1, a, flag), (t("f32[4,5]"),), spread=True) for a in (0, 1) for flag in FLAGS),
    *(Sample(ArgTopk(1, 1, flag), (t(f"{d}[2,4]"),), arrays=NAN) for d in TYPES[:3] for flag in FLAGS),
    *(Sample(ArgTopk(1, 1, flag), (t(f"{d}[3,5]"),), arrays=TIES) for d in TYPES for flag in FLAGS),
    Sample(ArgTopk(0, 0, True), (t("f32[3]"),)),
    Sample(ArgTopk(0, 0, True), (t("f32[0,2]"),)),
    Sample(ArgTopk(2, 0, False), (t("f32[2,0]"),)),
    *(
        Sample(SearchSorted(flag), (t(f"{d}[4]"), t(f"{d}[6]")), arrays=(np.array([0, 1, 1, 3]), np.array([1, 0, 3, 2, 4, 1])))
        for d in ("f32", "bf16", "i32", "u8", "i64")
        for flag in FLAGS
    ),
    *(
        Sample(
            SearchSorted(flag),
            (t("f32[2,3,4]"), t("f32[2,3,2]")),
            arrays=(np.array([-np.inf, 0.5, 0.5, np.nan]), np.array([[0.5, np.nan], [-1.0, np.inf], [0.6, -np.inf]])),
        )
        for flag in FLAGS
    ),
    Sample(SearchSorted(False), (t("f32[0]"), t("f32[3]"))),
    Sample(SearchSorted(False), (t("f32[2,0]"), t("f32[2,3]"))),
    Sample(SearchSorted(True), (t("f32[2,3]"), t("f32[2,0]"))),
]
