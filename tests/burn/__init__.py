"""Burn's 209 operations, row by row."""
