"""Samples of resampling along one axis: regular and irregular ratios, short lines (as a matrix) and long ones (as taps)."""

from burngraph.ir.ops.resample import MatmulAlong, Resample
from tests.samples import Sample, t

LINEAR = ("linear", "cubic", "lanczos3", "area")

SAMPLES = [
    Sample(MatmulAlong(1), (t("f32[2,3,4]"), t("f32[5,3]"))),
    Sample(MatmulAlong(2, True), (t("f32[2,3,4]"), t("f32[4,5]"))),
    Sample(MatmulAlong(0), (t("f32[3]"), t("f32[2,3]"))),
    Sample(MatmulAlong(0, True), (t("bf16[3,2]"), t("bf16[3,4]"))),
    Sample(MatmulAlong(1), (t("i32[2,3,2]"), t("i32[4,3]"))),
    Sample(MatmulAlong(1), (t("f32[0,3,2]"), t("f32[4,3]"))),
    Sample(MatmulAlong(1), (t("c64[2,3]"), t("c64[4,3]"))),
    *(
        Sample(Resample(1, 3, 5, kernel, is_transposed=back), (t(f"f32[2,{5 if back else 3},4]"),))
        for kernel in ("nearest", "nearest-exact", *LINEAR)
        for back in (False, True)
    ),
    *(Sample(Resample(1, 5, 3, k, is_transposed=b), (t(f"f32[2,{3 if b else 5}]"),)) for k in LINEAR for b in (False, True)),
    *(Sample(Resample(0, 4, 7, k, align_corners=True), (t("f32[4,2]"),)) for k in LINEAR[:3]),
    *(
        Sample(Resample(1, a, b, kernel, is_transposed=back), (t(f"f32[2,{b if back else a},3]"),))
        for kernel in ("nearest", "nearest-exact", "area")
        for a, b in ((2, 6), (6, 2))
        for back in (False, True)
    ),
    *(
        Sample(Resample(0, 3, 5, kernel, scale=0.6499999761581421, is_transposed=back), (t(f"f32[{5 if back else 3},2]"),))
        for kernel in ("nearest", "nearest-exact", "linear", "cubic")
        for back in (False, True)
    ),
    *(Sample(Resample(1, 90, 160, k), (t("f32[2,90]"),)) for k in ("nearest", "linear")),
    *(Sample(Resample(0, 90, 160, k, is_transposed=True), (t("f32[160,2]"),)) for k in ("nearest", "linear")),
    Sample(Resample(0, 300, 150, "cubic"), (t("f32[300,2]"),)),
    Sample(Resample(0, 100, 350, "cubic", is_transposed=True), (t("f32[350]"),)),
    *(Sample(Resample(0, 3, n, "nearest"), (t(f"{d}[3,2]"),)) for n in (5, 6) for d in ("i32", "bool", "f16")),
    *(Sample(Resample(1, 3, 5, "linear", is_transposed=b), (t(f"bf16[2,{5 if b else 3}]"),)) for b in (False, True)),
    *(Sample(Resample(0, 6, 2, "area"), (t(f"f16[6{rest}]"),), ((3e4, 6e4),)) for rest in ("", ",2")),
    Sample(Resample(0, 1, 1, "lanczos3"), (t("f32[1]"),)),
    Sample(Resample(1, 3, 5, "linear"), (t("f32[0,3,2]"),)),
]
