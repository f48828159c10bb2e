"""Every row of the table of Burn's operations has cases, and they hold."""

import pytest

from burngraph.ir.types import as_dtype
from tests.burn.harness import Case, check_derivative, check_values, check_vmap, rows
from tests.burn.table import PAGE, cases, page

ROWS = rows()
CASES = cases()


def by_default(case: Case) -> set[str]:
    """The dtypes tried without `--full`: the first, the first integer, the first 16-bit float and bool."""
    kinds = {}
    for name in case.dtypes:
        dtype = as_dtype(name)
        kinds.setdefault((dtype.is_integer, dtype.bytes == 2 and dtype.is_inexact, dtype.kind == "bool"), name)
    return {case.dtypes[0], *kinds.values()}


def each(case: Case) -> list[object]:
    chosen = by_default(case)
    return [
        pytest.param(case, dtype, id=f"{case}-{dtype}", marks=() if dtype in chosen else pytest.mark.full)
        for dtype in case.dtypes
    ]


every_case = pytest.mark.parametrize(("case", "dtype"), [one for case in CASES for one in each(case)])


def test_the_table_has_209_rows_and_a_case_for_each():
    assert len(ROWS) == 209
    assert set(ROWS) - {case.row for case in CASES} == set()
    assert {case.row for case in CASES} - set(ROWS) == set()


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == page(), "write it with: python -m tests.burn.table"


@every_case
def test_values(case, dtype):
    check_values(ROWS[case.row], case, dtype)


@every_case
def test_vmap(case, dtype):
    check_vmap(ROWS[case.row], case, dtype)


@pytest.mark.parametrize("case", [c for c in CASES if ROWS[c.row].derivative == "both" and "f64" in c.dtypes], ids=str)
def test_derivative(case):
    check_derivative(ROWS[case.row], case)
