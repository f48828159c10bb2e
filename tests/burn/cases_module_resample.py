"""Cases for Burn's interpolation and its backward operation."""

import math

import numpy as np

from tests.burn.harness import FLOATS, Case, T


def keys_kernel(d):
    """Keys' cubic with a = -3/4."""
    d, a = abs(d), -0.75
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def lanczos_kernel(d):
    return np.sinc(d) * np.sinc(d / 3) if abs(d) < 3 else 0.0


def weights(n, size, mode, align_corners):
    """[size, n]: how much each of n entries counts in each of the result's."""
    found = np.zeros((size, n))
    for o in range(size):
        if mode == "nearest":
            found[o, min(o * n // size, n - 1)] = 1
        elif mode == "nearest-exact":
            found[o, (2 * o + 1) * n // (2 * size)] = 1
        else:
            c = o * (n - 1) / max(size - 1, 1) if align_corners else (o + 0.5) * n / size - 0.5
            add_taps(found[o], c, mode)
    return found


def add_taps(row, c, mode):
    n, low = len(row), math.floor(c)
    if mode == "bilinear":
        first = max(low, 0)
        share = max(c - first, 0.0)
        row[first] += 1 - share
        row[min(first + 1, n - 1)] += share
    elif mode == "bicubic":
        for i in range(low - 1, low + 3):
            row[min(max(i, 0), n - 1)] += keys_kernel(c - i)
    else:
        for i in range(low - 2, low + 4):
            if 0 <= i < n:
                row[i] = lanczos_kernel(c - i)
        row /= row.sum()


def both_axes(x, output_size, mode, align_corners):
    return [weights(n, size, mode, align_corners) for n, size in zip(x.shape[2:], output_size, strict=True)]


def interpolate(x, output_size, mode, align_corners):
    return np.einsum("nchw,oh,pw->ncop", x, *both_axes(x, output_size, mode, align_corners))


def interpolate_backward(x, grad, output_size, mode, align_corners):
    return np.einsum("ncop,oh,pw->nchw", grad, *both_axes(x, output_size, mode, align_corners))


CASES = [
    Case(
        "Module.Interpolate",
        {"x": T(0, 3, 2, 3)},
        {"output_size": (3, 5), "mode": "bilinear", "align_corners": True},
        interpolate,
        FLOATS,
        label="empty batch",
    ),
    *(
        case
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "lanczos3")
        for align_corners in (True, False)
        for image, output_size in (((3, 4), (5, 8)), ((5, 7), (2, 3)), ((2, 3), (1, 7)), ((1, 4), (3, 4)))
        for options in ({"output_size": output_size, "mode": mode, "align_corners": align_corners},)
        for label in (f"{mode} {image} {output_size} {align_corners}",)
        for case in (
            Case("Module.Interpolate", {"x": T(2, 3, *image)}, options, interpolate, FLOATS, label=label),
            Case(
                "Module.InterpolateBackward",
                {"x": T(2, 3, *image), "grad": T(2, 3, *output_size)},
                options,
                interpolate_backward,
                FLOATS,
                label=label,
            ),
        )
    ),
]
