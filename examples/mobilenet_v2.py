"""A MobileNet-v2-like network in NCHW: inverted residuals with depthwise convolutions (Sandler et al., 2018)."""

import numpy as np

import burngraph as bg

# expansion, channels, repeats, stride of the first (table 2 of the paper, fewer repeats)
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 2), (6, 64, 2, 2), (6, 96, 1, 1))


def init(seed: int = 0, classes: int = 100) -> dict:
    rng = np.random.default_rng(seed)

    def conv_bn(out: int, into: int, k: int) -> dict:
        w = rng.normal(size=(out, into, k, k), scale=(2 / (into * k * k)) ** 0.5).astype("float32")
        ones, zeros = np.ones(out, "float32"), np.zeros(out, "float32")
        return {"w": w, "gamma": ones, "beta": zeros, "mean": zeros.copy(), "var": ones.copy()}

    params: dict = {"stem": conv_bn(32, 3, 3), "blocks": []}
    channels = 32
    for expansion, out, repeats, _ in BLOCKS:
        for _ in range(repeats):
            hidden = channels * expansion
            params["blocks"].append(
                {
                    "expand": conv_bn(hidden, channels, 1),
                    "depth": conv_bn(hidden, 1, 3),
                    "project": conv_bn(out, hidden, 1),
                }
            )
            channels = out
    params["last"] = conv_bn(320, channels, 1)
    params["head"] = rng.normal(size=(classes, 320), scale=0.05).astype("float32")
    return params


def relu6(x):
    return bg.minimum(bg.maximum(x, 0.0), 6.0)


def conv_bn(x, p, **options):
    return bg.batch_norm(bg.conv2d(x, p["w"], **options), p["mean"], p["var"], p["gamma"], p["beta"])


def forward(params, image):
    """Class scores [N, classes] of images [N, 3, H, W]."""
    x = relu6(conv_bn(image, params["stem"], stride=2, padding=1))
    blocks = iter(params["blocks"])
    for _, _, repeats, first_stride in BLOCKS:
        for repeat in range(repeats):
            p = next(blocks)
            stride = first_stride if repeat == 0 else 1
            hidden = relu6(conv_bn(x, p["expand"]))
            hidden = relu6(conv_bn(hidden, p["depth"], stride=stride, padding=1, groups=hidden.shape[1]))
            y = conv_bn(hidden, p["project"])
            x = x + y if y.shape == x.shape else y
    x = relu6(conv_bn(x, params["last"]))
    return bg.linear(bg.mean(x, axis=(2, 3)), params["head"])


PARAMS = init()


def model(image):
    return forward(PARAMS, image)


def inputs():
    return {"image": np.random.default_rng(1).normal(size=(2, 3, 32, 32)).astype("float32")}
