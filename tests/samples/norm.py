"""Samples of layer norm, with and without its optional operands, and of the two batch norms."""

from burngraph.ir.ops.norm import BatchNorm, BatchNormInference, LayerNorm
from tests.samples import Sample, t

POSITIVE = (0.5, 2.0)

SAMPLES = [
    Sample(LayerNorm((1,), 1e-5), (t("f32[2,5]"), t("f32[5]"), t("f32[5]"))),
    Sample(LayerNorm((2,), 1e-3), (t("f32[2,3,4]"), t("f32[4]"), None)),
    Sample(LayerNorm((1, 3), 1e-3), (t("f32[2,3,2,4]"), t("f32[3,4]"), t("f32[3,4]"))),
    Sample(LayerNorm((0, 2), 1e-3), (t("f32[3,2,4]"), None, t("f32[3,4]"))),
    Sample(LayerNorm((1,), 1e-3), (t("f32[2,5,3]"), None, None)),
    Sample(BatchNorm(3, 1e-3), (t("f32[2,3,4,2]"), t("f32[2]"), t("f32[2]"))),
    Sample(BatchNorm(1, 1e-5), (t("f32[4,3]"), t("f32[3]"), t("f32[3]"))),
    Sample(BatchNorm(0, 1e-3), (t("f32[2,3,4]"), t("f32[2]"), t("f32[2]"))),
    *(
        Sample(
            BatchNormInference(axis, 1e-3),
            (t(x), *(t(f"f32[{t(x).shape[axis]}]"),) * 4),
            ranges=(None, None, POSITIVE, None, None),
        )
        for axis, x in ((3, "f32[2,3,4,2]"), (1, "f32[4,3]"), (0, "f32[2,3,4]"))
    ),
]
