"""Cases for Burn's module operations."""

from tests.burn.harness import Case

CASES: list[Case] = []
