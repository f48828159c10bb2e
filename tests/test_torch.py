"""Values and gradients of the NCHW functions against PyTorch on the same arrays; skipped where torch is not installed."""

import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")
F = torch.nn.functional

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 7, 6)).astype("float32")
TIES = np.maximum(np.round(X), 0)  # many equal entries in each window
W = RNG.normal(size=(6, 4, 3, 3)).astype("float32")
GROUPED = RNG.normal(size=(6, 2, 3, 3)).astype("float32")
C, D = RNG.normal(size=(4,)).astype("float32"), RNG.normal(size=(4,)).astype("float32")
ROWS, CLASSES = RNG.normal(size=(5, 9)).astype("float32"), np.array([0, 3, 8, 3, 1], "int64")
HEAD, ROW_SCALE = RNG.normal(size=(3, 9)).astype("float32"), RNG.normal(size=(9,)).astype("float32")

# name: (burngraph function, torch function, arguments to differentiate)
CASES = {
    "conv2d": (lambda x, w: bg.conv2d(x, w, padding=1), lambda x, w: F.conv2d(x, w, padding=1), (X, W)),
    "conv2d stride 2": (
        lambda x, w: bg.conv2d(x, w, stride=2, padding=(1, 0)),
        lambda x, w: F.conv2d(x, w, stride=2, padding=(1, 0)),
        (X, W),
    ),
    "conv2d grouped, dilated": (
        lambda x, w: bg.conv2d(x, w, padding=2, dilation=2, groups=2),
        lambda x, w: F.conv2d(x, w, padding=2, dilation=2, groups=2),
        (X, GROUPED),
    ),
    "conv2d strided and dilated": (
        lambda x, w: bg.conv2d(x, w, stride=(2, 3), padding=2, dilation=(1, 2)),
        lambda x, w: F.conv2d(x, w, stride=(2, 3), padding=2, dilation=(1, 2)),
        (X, W),
    ),
    "max_pool2d": (lambda x: bg.max_pool2d(x, 2), lambda x: F.max_pool2d(x, 2), (X,)),
    "max_pool2d with ties": (lambda x: bg.max_pool2d(x, 2), lambda x: F.max_pool2d(x, 2), (TIES,)),
    "max_pool2d overlapping, ties": (
        lambda x: bg.max_pool2d(x, 3, stride=2),
        lambda x: F.max_pool2d(x, 3, stride=2),
        (TIES,),
    ),
    "max_pool2d padded, ties": (
        lambda x: bg.max_pool2d(x, 3, stride=2, padding=1),
        lambda x: F.max_pool2d(x, 3, stride=2, padding=1),
        (TIES,),
    ),
    "avg_pool2d": (lambda x: bg.avg_pool2d(x, 3, stride=2, padding=1), lambda x: F.avg_pool2d(x, 3, 2, 1), (X,)),
    "batch_norm, training": (
        lambda x, w, b: bg.batch_norm(x, bg.zeros((4,)), bg.ones((4,)), w, b, training=True)[0],
        lambda x, w, b: F.batch_norm(x, torch.zeros(4), torch.ones(4), w, b, training=True),
        (X, C, D),
    ),
    "layer_norm": (
        lambda x, w: bg.layer_norm(x, (9,), w, None),
        lambda x, w: F.layer_norm(x, (9,), w, None),
        (ROWS, ROW_SCALE),
    ),
    "gelu": (bg.gelu, F.gelu, (X,)),
    "relu of ties": (bg.relu, F.relu, (TIES,)),
    "softmax": (lambda x: bg.softmax(x, 1), lambda x: F.softmax(x, 1), (X,)),
    "log_softmax": (lambda x: bg.log_softmax(x, 1), lambda x: F.log_softmax(x, 1), (X,)),
    "linear": (bg.linear, F.linear, (ROWS, HEAD)),
    "cross_entropy": (
        lambda x: bg.cross_entropy(x, CLASSES.astype("int32")),
        lambda x: F.cross_entropy(x, torch.from_numpy(CLASSES)),
        (ROWS,),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients_equal_torch(name):
    ours, theirs, arrays = CASES[name]
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    want = theirs(*tensors)
    weights = np.random.default_rng(1).normal(size=tuple(want.shape)).astype("float32")
    (want * torch.from_numpy(np.asarray(weights))).sum().backward()

    def loss(*arrays):
        y = ours(*arrays)
        return bg.sum(y * weights), y

    (_, found), gradients = bg.compile(bg.value_and_grad(loss, tuple(range(len(arrays))), has_aux=True))(*arrays)
    gradients = gradients if len(arrays) > 1 else (gradients,)
    np.testing.assert_allclose(np.array(found), want.detach().numpy(), rtol=1e-4, atol=1e-5)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(np.array(gradient), tensor.grad.numpy(), rtol=1e-4, atol=1e-4)


def test_running_statistics_equal_torch():
    mean, var = np.full(4, 0.3, "float32"), np.full(4, 1.7, "float32")
    theirs = torch.tensor(mean), torch.tensor(var)
    F.batch_norm(torch.tensor(X), *theirs, torch.tensor(C), torch.tensor(D), training=True)
    _, *ours = bg.batch_norm(X, mean, var, C, D, training=True)
    for found, want in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.array(found), want.numpy(), rtol=1e-5)
