"""Convolutions and transposed convolutions, NCHW."""

__all__: list[str] = []
