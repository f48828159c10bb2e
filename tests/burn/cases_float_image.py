"""Cases for reading images at the positions of a grid."""

import math
from itertools import product

import numpy as np

from tests.burn.harness import FLOATS, SPECIAL, Case, T


def pixels(position, n, padding_mode, align_corners):
    """A position between -1 and 1, in pixels of an axis of n."""
    at = (position + 1) / 2 * (n - 1) if align_corners else ((position + 1) * n - 1) / 2
    if padding_mode == "border":
        return min(max(at, 0.0), n - 1.0)
    if padding_mode == "reflection":
        low, high = (0.0, n - 1.0) if align_corners else (-0.5, n - 0.5)
        away = (at - low) % (2 * (high - low)) if high > low else 0.0
        return min(max(low + min(away, 2 * (high - low) - away), 0.0), n - 1.0)
    return at


def taps(at, mode):
    """Pixels beside a position along an axis, and their shares."""
    if mode == "nearest-away":
        return [(int(math.copysign(math.floor(abs(at) + 0.5), at)), 1.0)]
    low = math.floor(at)
    return [(low, low + 1 - at), (low + 1, at - low)]


def grid_sample(tensor, grid, mode, padding_mode, align_corners):
    height, width = tensor.shape[2:]
    y = np.zeros((*tensor.shape[:2], *grid.shape[1:3]))
    for n, i, j in np.ndindex(*grid.shape[:3]):
        across = taps(pixels(grid[n, i, j, 0], width, padding_mode, align_corners), mode)
        down = taps(pixels(grid[n, i, j, 1], height, padding_mode, align_corners), mode)
        for (r, share), (c, other) in product(down, across):
            if 0 <= r < height and 0 <= c < width:
                y[n, :, i, j] += tensor[n, :, r, c] * share * other
    return y


# Halves of pixels along an axis of 4, and beyond both ends: they round away from zero.
HALVES = np.array([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 9.0])

CASES = [
    *(
        Case(  # with these widths no position drawn is where the derivative jumps: at a pixel's middle or on its border
            "Float.GridSample2d",
            {"tensor": T(2, 3, 3, 4 if align_corners else 5), "grid": T(2, 2, 4, 2, limits=(-1.6, 1.6), spread=True)},
            {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners},
            grid_sample,
            FLOATS,
            label=f"{mode} {padding_mode} {align_corners}",
        )
        for mode in ("bilinear", "nearest-away")
        for padding_mode in ("zeros", "border", "reflection")
        for align_corners in (False, True)
    ),
    *(
        Case(
            "Float.GridSample2d",
            {"tensor": T(1, 2, 4, 4), "grid": np.stack(np.meshgrid(HALVES, HALVES), -1)[None]},
            {"mode": "nearest-away", "padding_mode": padding_mode, "align_corners": False},
            grid_sample,
            SPECIAL,
            label=f"halves {padding_mode}",
        )
        for padding_mode in ("zeros", "border", "reflection")
    ),
    Case(
        "Float.GridSample2d",
        {"tensor": T(1, 2, 1, 1), "grid": T(1, 3, 2, 2)},
        {"mode": "bilinear", "padding_mode": "reflection", "align_corners": True},
        grid_sample,
        SPECIAL,
        label="one pixel",
    ),
]
