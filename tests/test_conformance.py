"""MLX against the NumPy meaning over ops x dtypes x aspects, and the page that says so."""

import pytest

from tests.conformance import PAGE, findings, swaps_by_op

SWAPS = swaps_by_op()
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]


@pytest.mark.parametrize(("name", "swaps"), SWAPS.items(), ids=list(SWAPS))
def test_mlx_means_what_numpy_says(name, swaps):
    found = findings(swaps)
    assert found.failures == []
    assert f"| {name} | {found.row} |" in ROWS, "write the page with: python -m tests.conformance"
