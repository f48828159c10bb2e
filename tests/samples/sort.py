"""Samples of sort."""

from tests.samples import Sample

SAMPLES: list[Sample] = []
