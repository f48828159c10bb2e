"""Samples of scatter."""

from tests.samples import Sample

SAMPLES: list[Sample] = []
