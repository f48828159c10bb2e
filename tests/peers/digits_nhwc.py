"""The digits network of examples/digits.py written by hand in plain channels-last MLX. Never imported by the product."""

import mlx.core as mx
import numpy as np


def from_nchw(params: dict, state: dict) -> tuple[dict, dict]:
    """The same weights in channels-last order: OIHW to OHWI, and the head's columns from C,H,W to H,W,C."""
    own = {}
    for name in ("block1", "block2"):
        own[name] = {**params[name], "w": mx.contiguous(params[name]["w"].transpose(0, 2, 3, 1))}
    w = params["head"]["w"].reshape(10, 32, 2, 2).transpose(0, 2, 3, 1).reshape(10, -1)
    own["head"] = {"w": mx.contiguous(w), "b": params["head"]["b"]}
    return own, state


def block(x: mx.array, p: dict, s: dict) -> tuple[mx.array, dict]:
    x = mx.conv2d(x, p["w"], padding=1)
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    count = x.size // x.shape[-1]
    state = {
        "mean": 0.9 * s["mean"] + 0.1 * mean,
        "var": 0.9 * s["var"] + 0.1 * var * (count / (count - 1)),
    }
    x = (x - mean) * mx.rsqrt(var + 1e-5) * p["gamma"] + p["beta"]
    x = mx.maximum(x, 0)
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4)), state


def loss(params: dict, state: dict, images: mx.array, labels: mx.array) -> tuple[mx.array, dict]:
    """Mean cross-entropy and the next state; images [N, 8, 8, 1]."""
    x, one = block(images, params["block1"], state["block1"])
    x, two = block(x, params["block2"], state["block2"])
    scores = x.reshape(x.shape[0], -1) @ params["head"]["w"].T + params["head"]["b"]
    picked = mx.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    return (mx.logsumexp(scores, axis=1) - picked).mean(), {"block1": one, "block2": two}


step = mx.value_and_grad(loss)


def batch(images: np.ndarray) -> mx.array:
    return mx.array(np.ascontiguousarray(images.transpose(0, 2, 3, 1)))
