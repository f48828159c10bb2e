"""Losses against PyTorch: values, and gradients of every float operand, for each reduction."""

import warnings

import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")
F = torch.nn.functional

RNG = np.random.default_rng(0)


def f32(*shape):
    return RNG.normal(size=shape).astype("float32")


def unit(*shape):
    return RNG.uniform(0.05, 0.95, shape).astype("float32")


X, T = f32(4, 5), f32(4, 5)
P, Q = unit(4, 5), unit(4, 5)
X[0, 0] = T[0, 0]  # r = 0
X[1, 1], T[1, 1] = 0.0, 1.0
IMAGES, LABELS = f32(2, 5, 3, 2), RNG.integers(0, 5, (2, 3, 2))
CLASSES, SOME = np.array([0, 4, 2, 2]), np.array([0, -100, 2, 4])
SIGNS, ROW_SIGNS = np.where(RNG.random((4, 5)) > 0.5, 1.0, -1.0).astype("float32"), np.array([1, -1, 1, -1], "float32")
W = unit(5)
LOG_P = np.log(P / P.sum(1, keepdims=True))
PROBABILITIES = P / P.sum(1, keepdims=True)
EYE = np.eye(2, dtype="float32")
COUNTS = RNG.integers(0, 5, (4, 5)).astype("float32")

# name: (function, arrays that get a gradient, other arguments in order, keywords)
CASES = {
    "classes": ("cross_entropy", (X,), (CLASSES,), {}),
    "classes of images": ("cross_entropy", (IMAGES,), (LABELS,), {}),
    "one example": ("cross_entropy", (X[0],), (np.array(3),), {}),
    "ignored": ("cross_entropy", (X,), (SOME,), {}),
    "ignored 2": ("cross_entropy", (X,), (CLASSES,), {"ignore_index": 2}),
    "weights": ("cross_entropy", (X,), (SOME,), {"weight": W}),
    "smoothed": ("cross_entropy", (X,), (CLASSES,), {"label_smoothing": 0.2}),
    "smoothed, weights, ignored": ("cross_entropy", (X,), (SOME,), {"label_smoothing": 0.2, "weight": W}),
    "smoothed images": ("cross_entropy", (IMAGES,), (LABELS,), {"label_smoothing": 0.3, "weight": W}),
    "soft targets": ("cross_entropy", (X, PROBABILITIES), (), {}),
    "soft targets, weights, smoothed": ("cross_entropy", (X, PROBABILITIES), (), {"weight": W, "label_smoothing": 0.1}),
    "nll": ("nll_loss", (LOG_P,), (CLASSES,), {}),
    "nll of images": ("nll_loss", (IMAGES,), (LABELS,), {"weight": W}),
    "nll, ignored": ("nll_loss", (LOG_P,), (SOME,), {"weight": W}),
    "bce": ("binary_cross_entropy", (P, Q), (), {}),
    "bce, weights": ("binary_cross_entropy", (P,), (Q,), {"weight": W}),
    "bce with logits": ("binary_cross_entropy_with_logits", (X, Q), (), {}),
    "bce with logits, weights": ("binary_cross_entropy_with_logits", (X,), (Q,), {"weight": W, "pos_weight": 2 * W}),
    "mse": ("mse_loss", (X, T), (), {}),
    "l1": ("l1_loss", (X, T), (), {}),
    "smooth l1": ("smooth_l1_loss", (X, T), (), {"beta": 0.7}),
    "smooth l1, beta 0": ("smooth_l1_loss", (X, T), (), {"beta": 0.0}),
    # exactly on the margin, where torch's derivative is that of the sloping side, but in multi_margin_loss
    "hinge on its margin": ("hinge_embedding_loss", (np.ones((4, 5), "float32"),), (SIGNS,), {}),
    "ranking on its margin": ("margin_ranking_loss", (X, X), (SIGNS,), {}),
    "triplet on its margin": ("triplet_margin_loss", (np.zeros((2, 2), "float32"), EYE, 2 * EYE), (), {"eps": 0.0}),
    "multi margin on its margin": ("multi_margin_loss", (EYE,), (np.array([0, 1]),), {}),
    "huber": ("huber_loss", (X, T), (), {"delta": 0.7}),
    "kl": ("kl_div", (LOG_P,), (Q,), {}),
    "kl of logarithms": ("kl_div", (LOG_P, np.log(Q)), (), {"log_target": True}),
    "poisson": ("poisson_nll_loss", (X,), (COUNTS,), {}),
    "poisson of rates": ("poisson_nll_loss", (P,), (COUNTS,), {"log_input": False, "full": True}),
    "gaussian": ("gaussian_nll_loss", (X, T, P), (), {"full": True}),
    "gaussian, one variance a row": ("gaussian_nll_loss", (X, T, P[:, :1]), (), {}),
    "gaussian, variances of rows": ("gaussian_nll_loss", (X, T, P[:, 0]), (), {}),
    "cosine embedding": ("cosine_embedding_loss", (X, T), (ROW_SIGNS,), {"margin": 0.1}),
    "cosine embedding, one": ("cosine_embedding_loss", (X[2], T[2]), (np.array(1, "float32"),), {}),
    "hinge embedding": ("hinge_embedding_loss", (X,), (SIGNS,), {"margin": 0.4}),
    "margin ranking": ("margin_ranking_loss", (X, T), (SIGNS,), {"margin": 0.3}),
    "soft margin": ("soft_margin_loss", (X,), (SIGNS,), {}),
    "multilabel soft margin": ("multilabel_soft_margin_loss", (X,), (Q,), {"weight": W}),
    "multi margin": ("multi_margin_loss", (X,), (CLASSES,), {"margin": 0.8}),
    "multi margin, squares": ("multi_margin_loss", (X,), (CLASSES,), {"p": 2, "weight": W}),
    "triplet": ("triplet_margin_loss", (X, T, P), (), {}),
    "triplet, p 1, swap": ("triplet_margin_loss", (X, T, P), (), {"p": 1, "swap": True}),
}


def to_torch(value):
    return torch.from_numpy(np.asarray(value)) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients(name):
    function, arrays, others, options = CASES[name]
    compare(function, arrays, others, options)


@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize(
    "name", ["smoothed, weights, ignored", "soft targets", "nll, ignored", "mse", "kl", "triplet", "multi margin"]
)
def test_reductions(name, reduction):
    function, arrays, others, options = CASES[name]
    compare(function, arrays, others, {**options, "reduction": reduction})


def compare(function, arrays, others, options):
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about kl_div's "mean"
        want = getattr(F, function)(*leaves, *map(to_torch, others), **{k: to_torch(v) for k, v in options.items()})
    seed = np.asarray(f32(*want.shape))
    (want * torch.from_numpy(seed)).sum().backward()

    def loss(*arrays):
        y = getattr(bg, function)(*arrays, *others, **options)
        return bg.sum(y * seed), y

    step = bg.compile(bg.value_and_grad(loss, tuple(range(len(arrays))), has_aux=True))
    (_, found), gradients = step(*arrays)
    gradients = gradients if len(arrays) > 1 else (gradients,)
    np.testing.assert_allclose(np.array(found), want.detach().numpy(), rtol=1e-4, atol=1e-5)
    assert np.array(found).shape == tuple(want.shape)
    for gradient, leaf in zip(gradients, leaves, strict=True):
        np.testing.assert_allclose(np.array(gradient), leaf.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_batchmean():
    compare("kl_div", (LOG_P,), (Q,), {"reduction": "batchmean"})


@pytest.mark.parametrize("options", [{}, {"p": 1.0}, {"p": 3.0, "keepdim": True}, {"p": float("inf")}, {"p": 0.5, "eps": 0.0}])
def test_pairwise_distance(options):
    compare("pairwise_distance", (X, T), (), options)


def test_cosine_similarity():
    compare("cosine_similarity", (X, T), (), {})
    compare("cosine_similarity", (IMAGES, IMAGES[:1] + 1), (), {"dim": -1})


def test_a_row_of_zeros_has_finite_gradients():
    zero = np.zeros((2, 3), "float32")
    for function in (bg.cosine_similarity, bg.pairwise_distance):
        gradient = bg.grad(lambda a, b, f=function: bg.sum(f(a, b)))(zero, zero)
        assert np.isfinite(np.array(gradient)).all()


def test_triplet_margin_loss_needs_a_margin():
    with pytest.raises(bg.errors.InputError, match="is not above 0"):
        bg.triplet_margin_loss(X, X, X, margin=0.0)
