"""Samples of random bits."""

from burngraph.ir.ops.random import RandomBits, RandomSplit
from tests.samples import Sample, t

SAMPLES = [
    Sample(RandomBits((3, 5)), (t("u32[2]"),)),
    Sample(RandomSplit(3), (t("u32[2]"),)),
]
