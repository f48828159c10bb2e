"""Samples of activations made of several steps."""

from burngraph.ir.ops.activation import Gelu
from tests.samples import Sample, t

SAMPLES = [Sample(Gelu(form), (t("f32[2,3,4]"),), ranges=((-3.0, 3.0),)) for form in ("none", "tanh")]
