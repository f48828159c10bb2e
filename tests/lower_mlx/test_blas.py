"""The BLAS that products on the CPU run on: another one on Linux, with the same results, unless told not to, or wrong."""

import subprocess
import sys

import mlx.core as mx
import numpy as np
import pytest

from burngraph.lower_mlx.blas import SWITCH, use_fast_blas

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="MLX has Accelerate there")
pytest.importorskip("scipy_openblas32")
pytest.importorskip("elftools")

IN_ANOTHER_PROCESS = """
import burngraph as bg, mlx.core as mx, numpy as np
from burngraph.lower_mlx import blas
{before}
a = np.random.default_rng(0).normal(size=(40, 40)).astype("float32")
np.testing.assert_allclose(np.array(bg.compile(lambda a: a @ a)(a)), a @ a, rtol=1e-4, atol=1e-4)
print(blas.use_fast_blas())
"""

NO_MAPS = """
def no_maps(name):
    raise FileNotFoundError("/proc/self/maps")
blas._mapped = no_maps
"""
OTHER_BASE = """
def moved(name, real=blas._mapped):
    path, base, writable = real(name)
    return path, base + 8, writable
blas._mapped = moved
"""


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("shapes", [((5, 7), (7, 3)), ((1, 300), (300, 1)), ((2, 65, 33), (33, 130))], ids=str)
def test_products_are_numpys(dtype, shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=s) + (1j * rng.normal(size=s) if dtype == "complex64" else 0) for s in shapes)
    a, b = a.astype(dtype), b.astype(dtype)
    assert use_fast_blas().name.startswith("OpenBLAS"), use_fast_blas()
    x, y = (mx.array(v, dtype=getattr(mx, dtype)) for v in (a, b))
    np.testing.assert_allclose(np.array(x @ y), a @ b, rtol=1e-4 if dtype != "float64" else 1e-12, atol=1e-4)
    transposed = mx.swapaxes(mx.swapaxes(x, -1, -2) + 0, -1, -2)
    np.testing.assert_allclose(np.array(transposed @ y), a @ b, rtol=1e-4, atol=1e-4)


def test_factorisations_still_work():
    use_fast_blas()
    a = np.random.default_rng(1).normal(size=(6, 6)).astype("float32")
    spd = a @ a.T + np.eye(6, dtype="float32")
    with mx.stream(mx.cpu):
        np.testing.assert_allclose(np.array(mx.linalg.inv(mx.array(spd))) @ spd, np.eye(6), atol=1e-3)
        lower = np.array(mx.linalg.cholesky(mx.array(spd)))
        u, s, vt = (np.array(part) for part in mx.linalg.svd(mx.array(a)))
        w, v = (np.array(part) for part in mx.linalg.eigh(mx.array(spd)))
    np.testing.assert_allclose(lower @ lower.T, spd, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(u * s @ vt, a, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(v * w @ v.T, spd, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("before", "variable", "said"),
    [
        ("", {}, "OpenBLAS"),
        ("", {SWITCH: "mlx"}, "BURNGRAPH_BLAS=mlx is set"),
        ("blas._is_right = lambda: False", {}, "OpenBLAS gave wrong products"),
        ("blas._mapped = lambda name, real=blas._mapped: (*real(name)[:2], [])", {}, "read-only"),
        ("import sys; sys.modules['elftools'] = None", {}, r"pip install 'burngraph\[cpu\]'"),
        (NO_MAPS, {}, "cannot be put in its place"),
        (OTHER_BASE, {}, "holds other addresses than the linker's"),
        ("blas.use_fast_blas(); blas._use_fast_blas.cache_clear()", {}, "name='OpenBLAS"),
    ],
    ids=["as installed", "switched off", "wrong", "read-only", "absent", "no /proc", "another address", "a second time"],
)
def test_what_is_said_and_that_products_are_right_anyway(before, variable, said, monkeypatch):
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    code = IN_ANOTHER_PROCESS.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said.replace("\\", "") in done.stdout
