"""Quantized tensors."""

__all__: list[str] = []
