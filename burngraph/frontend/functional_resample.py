"""Reading images between their pixels: interpolate, grid_sample, deform_conv2d."""

__all__: list[str] = []
