"""Functions that carry a name of the array API standard have its signature and take what it allows.

array-api-strict is the standard as functions, with nothing added. What differs on purpose stands in the tables below, which
docs/semantics.md shows.
"""

import inspect
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import AxisError, BurngraphError, DTypeError, InputError, RefusedError
from tests.frontend.test_sort import both

standard = pytest.importorskip("array_api_strict")

PAGE = (Path(__file__).parents[2] / "docs" / "semantics.md").read_text()
OF_STRICT_ITSELF = {
    "ArrayAPIStrictFlags", "Device", "get_array_api_strict_flags", "reset_array_api_strict_flags", "set_array_api_strict_flags",
    "__version__", "__array_api_version__",
}  # fmt: skip
SPACES = {"": (standard, bg), "linalg.": (standard.linalg, bg.linalg), "fft.": (standard.fft, bg.fft)}
STANDARD = {
    prefix + name: getattr(theirs, name)
    for prefix, (theirs, _) in SPACES.items()
    for name in theirs.__all__
    if name not in OF_STRICT_ITSELF
}

LACKING = [  # names, why
    ("complex128", "MLX has no such dtype; float64 goes with complex64"),
    (
        "linalg.cholesky linalg.det linalg.eigh linalg.eigvalsh linalg.inv linalg.matrix_rank linalg.pinv linalg.qr "
        "linalg.slogdet linalg.solve linalg.svd linalg.svdvals",
        "factorizations, and what rests on them: MLX computes them on the CPU only",
    ),
]
REFUSED = [("nonzero unique_all unique_counts unique_inverse unique_values", "the shape of the result depends on values")]
MORE = [  # parameters, how ours takes them while the standard does not, functions, why
    ("axis keepdims", "by position", "all any argmax argmin max mean min prod std sum var", "as in MLX"),
    ("axis keepdims", "by position", "count_nonzero", "as in PyTorch"),
    ("axis", "by position", "argsort concat cumulative_prod cumulative_sum flip sort stack take take_along_axis", "as in MLX"),
    ("axes", "by position", "tensordot linalg.tensordot fft.fftshift fft.ifftshift", "as in MLX"),
    ("dtype", "by position", "arange asarray empty full ones zeros", "as in MLX"),
    ("n axis norm", "by position", "fft.fft fft.hfft fft.ifft fft.ihfft fft.irfft fft.rfft", "as in MLX and PyTorch"),
    ("s axes norm", "by position", "fft.fftn fft.ifftn fft.irfftn fft.rfftn", "as in MLX"),
    ("d", "by position", "fft.fftfreq fft.rfftfreq", "as in MLX"),
    ("source destination", "by name", "moveaxis", "as in MLX"),
    ("axis", "left out: None", "squeeze", "all axes of size 1, as in MLX"),
    ("reverse", "besides", "cumulative_prod cumulative_sum", "as in MLX's cumsum"),
    ("axis1 axis2", "besides", "linalg.diagonal", "as in MLX"),
]


def ours(name):
    space, _, last = name.rpartition(".")
    return vars(SPACES[f"{space}." if space else ""][1]).get(last)


FUNCTIONS = [name for name, theirs in STANDARD.items() if inspect.isfunction(theirs) and ours(name) is not None]


def default(parameter):
    value = parameter.default
    return None if type(value).__name__ == "Undef" else value  # stands for a default that another library may choose


def differences(theirs, mine):
    """(parameter, how ours takes it) wherever it is not as in the standard; AssertionError: a call it allows would not bind."""
    theirs, mine = inspect.signature(theirs).parameters, inspect.signature(mine).parameters
    found = {(name, "besides") for name in mine.keys() - theirs.keys()}
    assert all(mine[name].default is not inspect.Parameter.empty for name, _ in found)
    for place, (name, parameter) in enumerate(theirs.items()):
        assert name in mine, f"no parameter {name}"
        kind, wanted = mine[name].kind, parameter.kind
        if wanted is not parameter.KEYWORD_ONLY:
            assert list(mine).index(name) == place, f"{name} has another place"
        if kind is not wanted:
            assert kind is parameter.POSITIONAL_OR_KEYWORD, f"{name} is {kind.description}"
            found.add((name, "by name" if wanted is parameter.POSITIONAL_ONLY else "by position"))
        value = default(mine[name])
        if default(parameter) is inspect.Parameter.empty and value is not inspect.Parameter.empty:
            found.add((name, f"left out: {value}"))
        else:
            assert value == default(parameter) and type(value) is type(default(parameter)), f"{name} has another default"
    return found


def test_every_name_of_the_standard_is_here_or_in_the_table():
    lacking = {name for names, _ in LACKING for name in names.split()}
    assert {name for name in STANDARD if name != "newaxis" and ours(name) is None} == lacking
    assert bg.newaxis is None and len(FUNCTIONS) > 150


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_signature_is_the_standards(name):
    listed = {(p, how) for parameters, how, names, _ in MORE if name in names.split() for p in parameters.split()}
    assert differences(STANDARD[name], ours(name)) == listed


def test_the_tables_name_functions_of_the_standard_and_are_in_the_docs():
    rows = []
    for parameters, how, names, why in MORE:
        assert set(names.split()) <= set(FUNCTIONS)
        rows.append(f"| {', '.join(f'`{p}`' for p in parameters.split())} {how} | {', '.join(names.split())} | {why} |")
    rows += [f"| not here | {', '.join(names.split())} | {why} |" for names, why in LACKING]
    rows += [f"| refused | {', '.join(names.split())} | {why} |" for names, why in REFUSED]
    missing = [row for row in rows if row not in PAGE]
    assert not missing, "docs/semantics.md must say:\n" + "\n".join(missing)


@pytest.mark.parametrize("name", [name for names, _ in REFUSED for name in names.split()])
def test_what_depends_on_values_is_refused(name):
    with pytest.raises(RefusedError, match="depends on"):
        ours(name)(np.ones(3))


@pytest.mark.parametrize(
    "call",
    [
        lambda: bg.linalg.matrix_power(np.eye(2), -1),
        lambda: bg.linalg.matrix_norm(np.eye(2), ord=2),
        lambda: bg.linalg.vector_norm(np.zeros(0), ord=np.inf),
        lambda: bg.linalg.matrix_norm(np.zeros((0, 2)), ord=-np.inf),
    ],
)
def test_what_else_the_docs_call_refused(call):
    with pytest.raises(BurngraphError, match=r"inverse|singular|empty"):
        call()


X = np.ones((2, 3), "float32")
ARGUMENTS = {  # of functions that take a device
    "arange": (3,), "asarray": (X,), "astype": (X, "int32"), "empty": (3,), "empty_like": (X,), "eye": (2,),
    "from_dlpack": (X,), "full": (3, 1), "full_like": (X, 1), "linspace": (0, 1, 3), "ones": (3,), "ones_like": (X,),
    "zeros": (3,), "zeros_like": (X,), "fft.fftfreq": (3,), "fft.rfftfreq": (3,),
}  # fmt: skip


def test_a_device_is_none_everywhere():
    taking = [name for name in FUNCTIONS if "device" in inspect.signature(ours(name)).parameters]
    assert sorted(taking) == sorted(ARGUMENTS)
    for name in taking:
        ours(name)(*ARGUMENTS[name], device=None)
        with pytest.raises(InputError, match=f"{name.rpartition('.')[2]}: device = 'gpu', but arrays are in memory that all"):
            ours(name)(*ARGUMENTS[name], device="gpu")
    info = bg.__array_namespace_info__()
    assert info.devices() == (info.default_device(),) == (None,)


def test_the_namespace_says_what_it_has():
    info, theirs = bg.__array_namespace_info__(), standard.__array_namespace_info__()
    assert info.dtypes() == {name: getattr(bg, name) for name in theirs.dtypes() if name != "complex128"}
    kinds = ("unsigned integer", "real floating")
    assert info.dtypes(kind=kinds).keys() == theirs.dtypes(kind=kinds).keys()
    assert info.capabilities().keys() == theirs.capabilities().keys()
    assert not info.capabilities()["boolean indexing"]
    assert info.default_dtypes() == {"real floating": "f32", "complex floating": "c64", "integral": "i32", "indexing": "i32"}
    with pytest.raises(DTypeError):
        info.dtypes(kind="float")


def test_code_that_asks_its_arrays_for_their_functions_is_compiled():
    def standardized(x):
        xp = x.__array_namespace__(api_version="2024.12")
        return (x - xp.mean(x, axis=0)) / xp.std(x, axis=0, correction=1)

    x = np.random.default_rng(0).normal(size=(9, 2)).astype("float32")
    np.testing.assert_allclose(np.array(bg.compile(standardized)(x)), standardized(x), rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match=r"the latest that is here: 2025\.12"):
        bg.compile(lambda x: x.__array_namespace__(api_version="2999.12"))(x)


def test_limits_are_python_numbers():
    found = bg.finfo(bg.float16)
    assert (found.bits, found.max, found.min, found.eps, found.dtype) == (16, 65504.0, -65504.0, 2**-10, bg.float16)
    assert bg.finfo("bfloat16").smallest_normal == bg.finfo("float32").tiny == 2.0**-126
    assert bg.finfo(bg.complex64).dtype == bg.float32
    assert bg.add(np.ones(2, "float16"), -found.max).dtype == mx.float16
    assert (bg.iinfo(mx.array(3, mx.uint8)).max, bg.iinfo("i8").min, bg.iinfo("i64").dtype) == (255, -128, bg.int64)


def test_asarray():
    assert isinstance(bg.asarray(X), mx.array) and bg.asarray(memoryview(b"ab")).dtype == mx.uint8
    assert bg.asarray([-1, 2**40], dtype="float32").tolist() == [-1, 2**40]
    x = mx.array([1.0, 2.0])
    assert bg.asarray(x) is bg.asarray(x, copy=False) is bg.astype(x, "float32", copy=False) is bg.reshape(x, (2,)) is x
    copies = bg.asarray(x, copy=True), bg.astype(x, "float32"), bg.reshape(x, (2,), copy=True)
    x[0] = 5
    for made in copies:
        made[1] = 7
        assert made.tolist() == [1, 7] and x.tolist() == [5, 2]
    for given in (X, [1.0], 3, mx.array([1])):
        with pytest.raises(InputError, match="copy=False forbids"):
            bg.asarray(given, dtype="float32" if given is not X else "int32", copy=False)
    with pytest.raises(InputError, match="list is no array of any library"):
        bg.from_dlpack([1.0])


def test_an_axis_that_is_not_there_is_an_index_error():
    for call in (lambda: bg.expand_dims(X, 4), lambda: bg.sum(X, axis=2), lambda: bg.compile(lambda x: bg.flip(x, axis=2))(X)):
        with pytest.raises(IndexError, match="out of range for rank") as caught:
            call()
        assert isinstance(caught.value, AxisError) and isinstance(caught.value, ValueError)


def test_positions_of_diagonals():
    for k in (-(2**40), -1, 1, 2**40):
        for fn in ("tril", "triu"):
            np.testing.assert_array_equal(
                both(lambda x, fn=fn, k=k: getattr(bg, fn)(x, k=k), X), getattr(np, fn)(X, max(min(k, 9), -9))
            )
        np.testing.assert_array_equal(np.array(bg.eye(2, 3, k=k)), np.eye(2, 3, max(min(k, 9), -9)))


def test_both_ends_of_linspace_are_exact_in_float64():
    stop = 16777217.0  # not a float32
    assert bg.linspace(stop, 2 * stop, 2, dtype="float64").tolist() == [stop, 2 * stop]


def test_repeats_may_be_an_array_where_no_graph_is_recorded():
    assert bg.repeat(np.array([1, 2]), mx.array([2, 1])).tolist() == [1, 1, 2]
    assert bg.repeat(X, (2,), axis=1).shape == (2, 6)
    with pytest.raises(ValueError, match="repeat: repeats must be Python ints"):
        bg.compile(lambda x: bg.repeat(x, mx.array([2, 1])))(np.array([1, 2]))


def test_vecdot_keeps_the_dtype_of_its_operands():
    x = np.array([100, 100], "int8")
    assert both(bg.vecdot, x, x).dtype == "int8" and both(bg.vecdot, x, x) == np.vecdot(x, x)


def test_no_difference_leaves_the_entries():
    assert bg.diff(np.array([1, 4]), n=0, prepend=np.array([0])).tolist() == [1, 4]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float32", "bfloat16", "complex64"])
def test_isin(dtype):
    x, y = np.array([[0, 1, 2], [3, 1, 0]], dtype), np.array([1, 0, 7], dtype)
    np.testing.assert_array_equal(both(bg.isin, x, y), np.isin(x, y))
    np.testing.assert_array_equal(both(lambda x: bg.isin(x, 1, invert=True), x), np.isin(x, 1, invert=True))
    assert both(bg.isin, x, y[:0]).tolist() == [[False] * 3] * 2
    if dtype == "float32":
        nan = np.array([np.nan, -0.0, 5], dtype)
        assert both(bg.isin, nan, np.array([np.nan, 0.0, np.inf], dtype)).tolist() == [False, True, False]


COMPLEX = np.array([0, 1j, -1j, 0.3 + 0.4j, -0.3 + 2j, -2 - 0.5j, 3 - 1e-3j, 1e-4 + 1e-5j], "complex64")


@pytest.mark.parametrize(
    "name", "acos acosh asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2 sign sin sinh sqrt tan tanh".split()
)
def test_functions_of_complex_numbers(name):
    fn, exact = getattr(bg, name), getattr(np, name)
    x = COMPLEX[1:] if name.startswith("log") else COMPLEX[3:] if name.startswith("at") else COMPLEX
    for found in bg.run(bg.trace(fn, x), x)[0], np.array(bg.compile(fn)(x)):
        np.testing.assert_allclose(found, exact(x.astype("complex128")), rtol=1e-5, atol=1e-8)
    if name != "sign":  # analytic: the derivative along 1 is the derivative
        at = COMPLEX[3:]
        _, tangent = bg.compile(lambda x: bg.jvp(fn, (x,), (bg.ones_like(x),)))(at)
        wide, step = at.astype("complex128"), 1e-6
        slope = (exact(wide + step) - exact(wide - step)) / (2 * step)
        np.testing.assert_allclose(np.array(tangent), slope, rtol=2e-4, atol=1e-4)


def test_expm1_of_infinite_complex_numbers():
    inf, nan = np.inf, np.nan
    x = np.array([complex(-inf, nan), complex(-inf, inf), complex(inf, 0), complex(nan, 0), complex(inf, nan)], "complex64")
    with np.errstate(invalid="ignore"):
        found = both(bg.expm1, x)
    np.testing.assert_array_equal(found.real, [-1, -1, inf, nan, inf])
    np.testing.assert_array_equal(found.imag, [0, 0, 0, 0, nan])


def test_the_meaning_of_signed_zeros_is_the_standards():
    """In the interpreter: MLX on a CPU loses the sign of sin(-0.0), and gives zeros of % the sign of x1."""
    zeros, ones = np.array([-0.0, 0.0], "float32"), np.array([1, -1], "float32")
    (found,) = bg.run(bg.trace(bg.remainder, zeros, ones), zeros, ones)
    assert np.signbit(found).tolist() == [False, True]
    (found,) = bg.run(bg.trace(bg.sin, zeros), zeros)
    assert np.signbit(found).tolist() == [True, False]
