"""Movement on MLX keeps every bit, and counts in every dtype."""

import numpy as np
import pytest

from burngraph.evaluator import as_numpy
from burngraph.ir.builder import Builder
from burngraph.ir.interpret import run
from burngraph.ir.ops.constant import Iota
from burngraph.ir.ops.movement import Pad
from burngraph.ir.types import DTYPES, TensorType, as_dtype
from burngraph.lower_mlx.lower import from_numpy, lower


@pytest.mark.parametrize("fill", [0.0, -0.0, 2.0, np.nan])
@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64", "c64"])
def test_padding_between_entries_keeps_minus_zero(dtype, fill):
    x = np.array([-0.0, 0.0, 1.0], as_dtype(dtype).numpy)
    if dtype == "c64":
        x[0] = complex(-0.0, -0.0)
    given = x, np.asarray(fill).astype(x.dtype)
    builder = Builder("pad")
    params = [builder.param(TensorType(as_dtype(dtype), a.shape)) for a in given]
    graph = builder.build([builder(Pad((1,), (1,), (1,)), *params)])
    (want,) = run(graph, *given)
    (found,) = lower(graph).run((), tuple(map(from_numpy, given)))
    nan = np.isnan(want)  # of which there are many
    np.testing.assert_array_equal(np.isnan(as_numpy(found)), nan)
    assert as_numpy(found)[~nan].tobytes() == want[~nan].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_iota_of_every_dtype(dtype):
    builder = Builder("count")
    graph = builder.build([builder(Iota(1, TensorType(DTYPES[dtype], (2, 3))))])
    lowered = lower(graph)
    np.testing.assert_array_equal(as_numpy(lowered.run(lowered.prepare({}), ())[0]), run(graph)[0])
