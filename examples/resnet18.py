"""ResNet-18 in NCHW, as PyTorch users write it (He et al., 2015, https://arxiv.org/abs/1512.03385).

burngraph dump examples/resnet18.py --after eliminate-layout
burngraph bench examples/resnet18.py --input image=f32[8,3,64,64]
"""

import numpy as np

import burngraph as bg

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))


def init(seed: int = 0, classes: int = 1000, width: int = 64) -> dict:
    """Parameters and batch-norm statistics, He-normal convolutions; `width` scales every stage (64 is the paper's)."""
    rng = np.random.default_rng(seed)

    def conv_bn(out: int, into: int, k: int) -> dict:
        w = rng.normal(size=(out, into, k, k), scale=(2 / (into * k * k)) ** 0.5).astype("float32")
        ones, zeros = np.ones(out, "float32"), np.zeros(out, "float32")
        return {"w": w, "gamma": ones, "beta": zeros, "mean": zeros.copy(), "var": ones.copy()}

    channels = width
    params: dict = {"stem": conv_bn(width, 3, 7)}
    for stage, (base, _) in enumerate(STAGES):
        out = base * width // 64
        for block in range(2):
            params[f"stage{stage}.{block}"] = {
                "conv1": conv_bn(out, channels, 3),
                "conv2": conv_bn(out, out, 3),
                **({"down": conv_bn(out, channels, 1)} if block == 0 and stage > 0 else {}),
            }
            channels = out
    params["head"] = rng.normal(size=(classes, channels), scale=0.01).astype("float32")
    return params


def conv_bn(x, p, stride=1, padding=0, training=False):
    x = bg.conv2d(x, p["w"], stride=stride, padding=padding)
    if training:
        return bg.batch_norm(x, p["mean"], p["var"], p["gamma"], p["beta"], training=True)[0]
    return bg.batch_norm(x, p["mean"], p["var"], p["gamma"], p["beta"])


def forward(params, image, training=False):
    """Class scores [N, classes] of images [N, 3, H, W]."""
    x = bg.relu(conv_bn(image, params["stem"], stride=2, padding=3, training=training))
    x = bg.max_pool2d(x, 3, stride=2, padding=1)
    for stage, (_, stage_stride) in enumerate(STAGES):
        for block in range(2):
            p = params[f"stage{stage}.{block}"]
            stride = stage_stride if block == 0 else 1
            y = bg.relu(conv_bn(x, p["conv1"], stride=stride, padding=1, training=training))
            y = conv_bn(y, p["conv2"], padding=1, training=training)
            shortcut = conv_bn(x, p["down"], stride=stride, training=training) if "down" in p else x
            x = bg.relu(y + shortcut)
    return bg.linear(bg.mean(x, axis=(2, 3)), params["head"])


def loss(params, image, label):
    """Mean cross-entropy of the training-mode network."""
    return bg.cross_entropy(forward(params, image, training=True), label)


PARAMS = init()


def model(image):
    return forward(PARAMS, image)


def inputs():
    return {"image": np.random.default_rng(1).normal(size=(2, 3, 64, 64)).astype("float32")}
