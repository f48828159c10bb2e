"""Sorting, searching and selecting by order."""

__all__: list[str] = []
