"""Ops with nested graphs that loop or branch."""
