"""Samples of cumulative."""

from tests.samples import Sample

SAMPLES: list[Sample] = []
