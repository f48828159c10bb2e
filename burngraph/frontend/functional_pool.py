"""Pooling, unfold and fold, NCHW."""

__all__: list[str] = []
