"""Samples of quantize."""

from tests.samples import Sample

SAMPLES: list[Sample] = []
