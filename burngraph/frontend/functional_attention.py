"""Scaled dot-product attention."""

__all__: list[str] = []
