"""Ops with nested graphs that carry a derivative of their own."""
