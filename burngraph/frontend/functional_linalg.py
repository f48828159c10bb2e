"""Products and contractions beyond matmul: einsum, cross, vecdot, outer and more."""

__all__: list[str] = []
