"""An op on many entries is as many MLX calls as on few: no Python loop over entries, and no lowering that only hands its
operand back."""

from typing import Any

import numpy as np
import pytest

from burngraph.errors import BurngraphError, LoweringError, RefusedError
from burngraph.ir.builder import Builder, infer_types
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import evaluate
from burngraph.ir.ops.conv import Convolution
from burngraph.ir.target import CPU, CUDA, Target
from burngraph.lower_mlx.lower import from_numpy, lower
from tests.samples import Sample, written_samples

SAMPLES = [s for s in written_samples() if s.op.name != "weight"]


def is_written_out(sample: Sample, target: Target) -> bool:
    """Convolutions that are written tap by tap or group by group: with input dilation on a CPU; in 3-D elsewhere, where MLX
    has no groups."""
    if not isinstance(sample.op, Convolution):
        return False
    return max(sample.op.input_dilation) > 1 if target.name == "cpu" else len(sample.op.stride) == 3


def one_op(sample: Sample, types: Any) -> Graph:
    builder = Builder("one_op")
    return builder.build(builder.several(sample.op, *(None if t is None else builder.param(t) for t in types)))


def stacked(sample: Sample, n: int) -> Graph:
    builder = Builder("stacked")
    params = tuple(None if t is None else builder.param(t.with_shape((n, *t.shape))) for t in sample.types)
    out: Any = sample.op.batched(builder, params, tuple(p is not None for p in params))
    return builder.build(out if isinstance(out, tuple) else (out,))


def scaled(sample: Sample, factor: int) -> list[Any]:
    """The sample's types with every dim times `factor`; with those of the first operand alone if the op takes no others."""
    every = [None if t is None else t.with_shape(tuple(d * factor for d in t.shape)) for t in sample.types]
    try:
        infer_types(sample.op, every)
    except (BurngraphError, ValueError, TypeError):
        return [*every[:1], *sample.types[1:]]
    return every


def assert_no_loop(few: Graph, many: Graph, target: Target) -> None:
    """Formulations may differ by size, and a bisection takes a step more for twice the entries."""
    try:
        small, large = (lower(graph, target).source.count("mx.") for graph in (few, many))
    except LoweringError:  # tests/lower_mlx/test_gaps.py
        return
    assert large <= 2 * small + 12


@pytest.mark.parametrize("target", [CPU, CUDA], ids=lambda target: target.name)
def test_source_does_not_grow_with_the_dims(target: Target) -> None:
    n_scaled = 0
    for sample in SAMPLES:
        try:
            for factor in (2, 64):
                infer_types(sample.op, scaled(sample, factor))
        except (BurngraphError, ValueError, TypeError):
            continue  # attributes fix the dims
        if is_written_out(sample, target):
            continue
        n_scaled += 1
        assert_no_loop(one_op(sample, scaled(sample, 2)), one_op(sample, scaled(sample, 64)), target)
    assert n_scaled > len(SAMPLES) // 2


@pytest.mark.parametrize("target", [CPU, CUDA], ids=lambda target: target.name)
def test_source_does_not_grow_with_the_batch(target: Target) -> None:
    for sample in SAMPLES:
        if is_written_out(sample, target) or all(t is None for t in sample.types):
            continue
        try:
            few, many = stacked(sample, 2), stacked(sample, 1000)
        except RefusedError:
            continue
        assert_no_loop(few, many, target)


def identities(sample: Sample) -> list[bool]:
    """For each result of the op, whether it is one of its operands, bit for bit."""
    arrays = sample.operands(np.random.default_rng(1))
    with np.errstate(all="ignore"):
        results = evaluate(sample.op, arrays, infer_types(sample.op, sample.types))
    given = [(a.dtype, a.shape, a.tobytes()) for a in arrays if a is not None]
    return [(r.dtype, r.shape, r.tobytes()) in given for r in results]


def test_only_an_identity_is_lowered_to_its_operand() -> None:
    for sample in SAMPLES:
        lowered = lower(one_op(sample, sample.types))
        given = tuple(from_numpy(a) for a in sample.operands(np.random.default_rng(1)) if a is not None)
        results = lowered.run(lowered.prepare({}), given)
        for result, is_identity in zip(results, identities(sample), strict=True):
            assert is_identity or not any(result is x for x in given), sample


def test_every_op_has_a_sample_on_which_it_does_something() -> None:
    active = {s.op.name for s in SAMPLES if not all(identities(s))}
    idle = {s.op.name for s in SAMPLES} - active
    # what they do shows in checks, in derivatives and in the order of evaluation
    assert idle == {"after", "class_numbers", "stop_gradient", "used_where"}
