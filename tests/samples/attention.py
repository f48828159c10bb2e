"""Samples of attention."""

from tests.samples import Sample

SAMPLES: list[Sample] = []
