"""Complex numbers and Fourier transforms."""

__all__: list[str] = []
