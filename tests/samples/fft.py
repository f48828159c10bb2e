"""Samples of fft."""

from tests.samples import Sample

SAMPLES: list[Sample] = []
