"""Loops and branches that stay in the graph: scan, cond, while_loop, fori_loop."""

__all__: list[str] = []
