"""Samples of control."""

from tests.samples import Sample

SAMPLES: list[Sample] = []
