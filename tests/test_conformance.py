"""MLX against the NumPy meaning over ops x dtypes x aspects: a sample by default, all of it with --full."""

import pytest

from tests.conformance import ASPECTS, check, every_swap

SWAPS = [swapped for swapped in every_swap() if swapped.refusal() is None]
BY_DEFAULT = {"f16", "i8", "u32", "c64"}  # f32 and what samples are written in is tried by tests/lower_mlx


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize(
    "swapped",
    [
        pytest.param(swapped, id=str(swapped), marks=() if i % 7 == 0 and swapped.new.name in BY_DEFAULT else pytest.mark.full)
        for i, swapped in enumerate(SWAPS)
    ],
)
def test_mlx_means_what_numpy_says(swapped, aspect):
    if not check(swapped, aspect):
        pytest.skip("the op refuses it, or has no derivative")
