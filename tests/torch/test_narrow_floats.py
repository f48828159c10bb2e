"""f16 and bf16 where squares, sums and counts leave their range: the numbers that f32 inside gives, as in PyTorch."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")
F = torch.nn.functional

BIG = (np.random.default_rng(0).standard_normal((2, 4, 50)) * 300).astype(np.float16)


def close(ours, theirs):
    np.testing.assert_allclose(np.array(ours.astype(mx.float32)), theirs.detach().float().numpy(), rtol=4e-3, atol=4e-3)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: bg.layer_norm(x, (50,)), lambda x: F.layer_norm(x, (50,))),
        (lambda x: bg.group_norm(x, 2), lambda x: F.group_norm(x, 2)),
        (lambda x: bg.instance_norm(x), lambda x: F.instance_norm(x)),
        (lambda x: bg.batch_norm(x, training=True)[0], lambda x: F.batch_norm(x, None, None, training=True)),
        (lambda x: bg.avg_pool1d(abs(x) * 60, 5), lambda x: F.avg_pool1d(abs(x) * 60, 5)),
        (lambda x: bg.adaptive_avg_pool1d(abs(x) * 60, 7), lambda x: F.adaptive_avg_pool1d(abs(x) * 60, 7)),
        (lambda x: bg.adaptive_avg_pool1d(abs(x) * 60, 23), lambda x: F.adaptive_avg_pool1d(abs(x) * 60, 23)),
        (
            lambda x: bg.avg_pool2d(abs(x) * 60, 2, divisor_override=40),
            lambda x: F.avg_pool2d(abs(x) * 60, 2, divisor_override=40),
        ),
        (lambda x: bg.std(x, -1, correction=1), lambda x: torch.std(x, -1)),
        (lambda x: bg.vector_norm(x, axis=-1), lambda x: torch.linalg.vector_norm(x, dim=-1)),
        (lambda x: bg.pairwise_distance(x, 2 * x), lambda x: F.pairwise_distance(x, 2 * x)),
    ],
)
def test_squares_and_sums_beyond_f16(ours, theirs):
    given = torch.from_numpy(BIG).requires_grad_()
    wanted = theirs(given)
    close(ours(mx.array(BIG)), wanted)
    weights = np.linspace(-1, 1, wanted.numel(), dtype=np.float16).reshape(wanted.shape)
    (wanted * torch.from_numpy(weights)).sum().backward()
    close(bg.grad(lambda x: bg.sum(ours(x) * mx.array(weights)))(mx.array(BIG)), given.grad)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_softmax_of_many(dtype):
    x = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    ours, theirs = mx.array(x).astype(getattr(mx, dtype)), torch.from_numpy(x).to(getattr(torch, dtype))
    ratio = np.array(bg.softmax(ours).astype(mx.float32)) / torch.softmax(theirs, 0).float().numpy()
    np.testing.assert_allclose(ratio, 1, rtol=1e-2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_arange_counts_on_where_not_every_integer_is_a_number(dtype):
    close(bg.arange(5000, dtype=dtype), torch.arange(5000).to(getattr(torch, dtype)))
    close(bg.arange(7, 3000, 3, dtype=dtype), torch.arange(7, 3000, 3).to(getattr(torch, dtype)))


def test_linspace_is_rounded_once():
    close(bg.linspace(0.0, 1.0, 5000, dtype="float16"), torch.linspace(0.0, 1.0, 5000).half())


SCORES, OTHERS, FURTHER = np.random.default_rng(2).standard_normal((3, 4, 9))
LOSSES = {
    "bce": (lambda p, t: bg.binary_cross_entropy(p, t, reduction="none"), abs(SCORES) % 1, abs(OTHERS) % 1),
    "bce with logits": (
        lambda *a: bg.binary_cross_entropy_with_logits(*a, reduction="none"),
        SCORES,
        abs(OTHERS) % 1,
        abs(FURTHER),
    ),
    "mse": (lambda x, y: bg.mse_loss(x, y, reduction="none"), SCORES, OTHERS),
    "smooth l1": (lambda x, y: bg.smooth_l1_loss(x, y, reduction="none"), SCORES, OTHERS),
    "kl": (lambda x, y: bg.kl_div(x, y, reduction="none"), SCORES, abs(OTHERS)),
    "poisson": (lambda x, y: bg.poisson_nll_loss(x, y, full=True, reduction="none"), SCORES, abs(OTHERS)),
    "gaussian": (lambda x, y, v: bg.gaussian_nll_loss(x, y, v, reduction="none"), SCORES, OTHERS, abs(FURTHER) + 1),
    "triplet": (lambda *a: bg.triplet_margin_loss(*a, reduction="none"), SCORES, OTHERS, FURTHER),
    "weighted nll": (lambda x, w: bg.nll_loss(x, np.arange(4), w[0]), SCORES, abs(OTHERS)),
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_rounded_once(name, dtype):
    loss, *arrays = LOSSES[name]
    narrow = [mx.array(a.astype(np.float32)).astype(getattr(mx, dtype)) for a in arrays]
    want = np.array(loss(*(a.astype(mx.float32) for a in narrow)).astype(getattr(mx, dtype)).astype(mx.float32))
    for found in (loss(*narrow), bg.compile(loss)(*narrow)):
        assert found.dtype == narrow[0].dtype
        np.testing.assert_array_equal(np.array(found.astype(mx.float32)), want)
