"""Every row of the table of Burn's operations has cases, and they hold."""

import ast

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import InputError
from burngraph.ir.types import as_dtype
from tests.burn.columns import cases_by_row, derivative, derivatives, dtypes_taken
from tests.burn.harness import Case, check_derivative, check_no_derivative, check_values, check_vmap, rows, spelled
from tests.burn.table import PAGE, cases, page

ROWS = rows()
CASES = cases()
OF_ROW = cases_by_row(CASES)


def floats(case: Case) -> list[str]:
    return [dtype for dtype in case.dtypes if as_dtype(dtype).kind == "float"]


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


def test_a_row_reads_arrays_with_functions_of_ours_only():
    """Operators, indexing and methods of a concrete mx.array are MLX's, which checks no index."""
    for row in ROWS.values():
        for node in ast.walk(ast.parse(row.ours, mode="eval")):
            if isinstance(node, ast.Attribute) and not ast.unparse(node).startswith("bg."):
                assert node.attr in ("shape", "ndim", "dtype"), row
            parts = [getattr(node, name, None) for name in ("left", "right", "operand")]
            parts += [node.value] if isinstance(node, ast.Subscript) else []
            assert not any(isinstance(part, ast.Name) for part in parts), row


@pytest.mark.parametrize("row", ["Base.Slice", "Base.SliceAssign", "Base.SelectAssign", "Module.EmbeddingBackward"])
@pytest.mark.parametrize("as_array", [np.asarray, mx.array], ids=["numpy", "mlx"])
def test_rows_mean_the_same_outside_a_program(row, as_array):
    for case in [c for c in CASES if c.row == row]:
        given = list(case.arrays("f32").values())
        fn = spelled(ROWS[row], case, "f32")
        np.testing.assert_array_equal(np.array(fn(*map(as_array, given))), np.array(bg.compile(fn)(*given)))


def test_a_bad_index_adds_nothing_outside_a_program():
    weights, grad = mx.zeros((3, 2)), mx.ones((2, 2, 2))
    fn = eval("lambda weights, out_grad, indices: " + ROWS["Module.EmbeddingBackward"].ours, {"bg": bg})
    found = fn(weights, grad, mx.array([[0, 10**9], [-(10**9), 0]]))
    assert found.tolist() == [[2.0, 2.0], [0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("given", [(0, 2), (0, 2, 1), slice(2), slice(None, 2, None), [0, 2]])
def test_slices_are_triples_pairs_or_python_slices(given):
    x = np.arange(12.0, dtype="float32").reshape(3, 4)
    assert bg.burn.slice(x, [given, (1, None)]).tolist() == x[:2, 1:].tolist()


def test_what_is_no_slice_or_distribution_is_told_the_form():
    x, key = np.ones((3, 4), "float32"), bg.random_key(0)
    for bad in (0, (1,), (0.5, 2), "ab"):
        with pytest.raises(InputError, match=r"one \(start, end, step\) or \(start, end\)(.|\n)*test_rows.py"):
            bg.burn.slice(x, [bad])
    with pytest.raises(InputError, match="walks backwards"):
        bg.burn.slice(x, [slice(None, None, -1)])
    assert bg.burn.random(key, (3,), "Default").tolist() == bg.burn.random(key, (3,), ("Default",)).tolist()
    for bad in ("default", ("Normal", 1.0), ("Uniform", 1), ()):
        with pytest.raises(InputError, match=r'distributions: "Default", \("Uniform", low, high\)'):
            bg.burn.random(key, (3,), bad)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_random_floats_stay_below_the_upper_bound(dtype):
    drawn = bg.compile(lambda key: bg.burn.random(key, (200_000,), "Default", dtype))(np.array([0, 0], np.uint32))
    assert float(mx.max(drawn.astype(mx.float32), stream=mx.cpu)) < 1
    assert float(mx.min(drawn.astype(mx.float32), stream=mx.cpu)) >= 0


@every_case
def test_values(case, dtype):
    check_values(ROWS[case.row], case, dtype)


@every_case
def test_vmap(case, dtype):
    check_vmap(ROWS[case.row], case, dtype)


@pytest.mark.parametrize("row", ROWS)
def test_every_dtype_that_a_row_takes_is_tried(row):
    tried = {dtype for case in OF_ROW[row] if case.out for dtype in case.dtypes}
    assert set(dtypes_taken(ROWS[row], OF_ROW[row])) == tried


@pytest.mark.parametrize("case", [c for c in CASES if c.out and (not floats(c) or "f64" in c.dtypes)], ids=str)
def test_derivative(case):
    row, dtype = ROWS[case.row], "f64" if floats(case) else case.dtypes[0]
    found = derivative(row, case, dtype)
    if found.modes and not found.is_stopped:
        check_derivative(row, case, found.modes)
    else:
        check_no_derivative(row, case, dtype)


@pytest.mark.parametrize("row", ROWS)
def test_what_the_page_says_of_a_derivative_is_tried_in_f64(row):
    """By cases in f64 that have all that the others have: which operands each result depends on."""
    found = derivatives(ROWS[row], OF_ROW[row])
    in_f64 = [d for case, d in found if "f64" in case.dtypes]
    assert {d.moving != [] and d.smooth != [] for _, d in found} <= {d.moving != [] and d.smooth != [] for d in in_f64} | {
        False
    }
    assert {path for _, d in found for path in d.paths} == {path for d in in_f64 for path in d.paths}
