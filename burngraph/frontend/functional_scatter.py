"""Writing at indices: scatter, scatter_nd, slice_assign and x.at[...]."""

__all__: list[str] = []
