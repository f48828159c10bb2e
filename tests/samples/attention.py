"""Samples of attention: ranks 2 to 5, shared heads, both masks, each alignment of causality, queries that see nothing."""

import math

import numpy as np

from burngraph.ir.ops.attention import Attention, AttentionWeights
from tests.samples import Sample, t

HEADS = (t("f32[2,4,3,2]"), t("f32[2,2,5,2]"), t("f32[2,2,5,3]"))  # two heads of the query share one of the key
SEEN = np.array([[True, False, True, True, False], [False] * 5, [True] * 5])
ADDED = np.where(SEEN, np.arange(5) * 0.25 - 0.5, -math.inf)


def with_mask(causal: str, softcap: float | None, dtype: str, mask: np.ndarray) -> Sample:
    rng = np.random.default_rng(0)
    arrays = tuple(rng.uniform(-1, 1, x.shape) for x in HEADS)
    return Sample(Attention(0.5, softcap, causal), (*HEADS, t(f"{dtype}[2,4,3,5]")), arrays=(*arrays, mask))


SAMPLES = [
    Sample(Attention(0.5, None, "none"), (t("f32[3,2]"), t("f32[4,2]"), t("f32[4,5]"), None)),
    Sample(Attention(0.5, None, "upper_left"), (t("f32[2,3,4]"), t("f32[2,3,4]"), t("f32[2,3,5]"), None)),
    *(
        Sample(Attention(0.5, cap, causal), (*HEADS, None))
        for cap in (None, 1.5)
        for causal in ("none", "upper_left", "lower_right")
    ),
    # more queries than keys: the first see nothing
    Sample(Attention(0.5, None, "lower_right"), (t("f32[2,4,2]"), t("f32[2,3,2]"), t("f32[2,3,2]"), None)),
    Sample(Attention(0.5, None, "upper_left"), (t("f32[2,4,2]"), t("f32[2,3,2]"), t("f32[2,3,2]"), None)),
    *(with_mask(causal, cap, "bool", SEEN) for cap in (None, 2.0) for causal in ("none", "upper_left", "lower_right")),
    *(with_mask(causal, cap, "f32", ADDED) for cap in (None, 2.0) for causal in ("none", "lower_right")),
    Sample(Attention(0.5, None, "none"), (t("f32[2,3,2]"), t("f32[2,4,2]"), t("f32[2,4,3]"), t("bool[2,3,4]"))),
    Sample(Attention(0.5, None, "none"), (t("f32[2,1,2,3,2]"),) * 3 + (t("f32[2,1,2,3,3]"),)),
    Sample(Attention(0.5, None, "none"), (t("f32[2,3,2,3,2]"),) * 3 + (t("bool[2,1,1,3,3]"),)),
    Sample(Attention(0.5, None, "upper_left"), (*HEADS, t("bool[2,1,1,5]"))),
    Sample(Attention(0.5, 1.5, "none"), (*HEADS, t("bool[1,4,3,1]"))),
    Sample(Attention(0.5, None, "lower_right"), (*HEADS, t("f32[1,1,3,5]"))),
    Sample(Attention(0.5, None, "none"), (*HEADS, t("f32[2,4,1,1]"))),
    Sample(Attention(0.5, None, "none"), (t("f32[2,3,2]"), t("f32[2,0,2]"), t("f32[2,0,4]"), None)),
    Sample(Attention(0.5, None, "none"), (t("f32[0,3,2]"), t("f32[0,4,2]"), t("f32[0,4,4]"), None)),
    Sample(Attention(0.5, None, "lower_right"), (t("f16[2,3,4]"), t("f16[2,5,4]"), t("f16[2,5,4]"), None)),
    Sample(Attention(0.5, 3.0, "none"), (t("bf16[2,3,4]"), t("bf16[2,5,4]"), t("bf16[2,5,4]"), t("bool[2,3,5]"))),
    Sample(AttentionWeights(0.5, None, "lower_right"), (t("f32[4,3,2]"), t("f32[2,5,2]"), t("bool[4,3,5]"))),
    Sample(AttentionWeights(0.5, 1.5, "none"), (t("f32[2,3,4]"), t("f32[2,5,4]"), t("f32[2,3,5]"))),
    Sample(AttentionWeights(0.5, None, "none"), (t("f32[2,3,4]"), t("f32[2,0,4]"), None)),
]
