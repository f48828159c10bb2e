"""Samples of resample."""

from tests.samples import Sample

SAMPLES: list[Sample] = []
