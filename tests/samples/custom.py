"""Samples of custom."""

from tests.samples import Sample

SAMPLES: list[Sample] = []
