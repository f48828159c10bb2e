"""Writing at indices."""
