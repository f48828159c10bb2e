"""Train a small NCHW convolutional network on 1,797 real handwritten digits, then classify with it.

python examples/digits.py                                    train, report, save weights
burngraph run examples/digits.py --image digit.png           classify a picture with the saved weights
burngraph run examples/digits.py --image 17                  classify test image 17
"""

import os
import time
from pathlib import Path

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import burngraph as bg

WEIGHTS = Path(__file__).with_name("digits.safetensors")
BATCH = 64


def init(seed: int = 0) -> tuple[dict, dict]:
    """Parameters (trained) and running statistics (state of the batch norms)."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> mx.array:
        fan_in = int(np.prod(shape[1:]))
        return mx.array(rng.normal(size=shape, scale=(2 / fan_in) ** 0.5).astype("float32"))

    params, state = {}, {}
    for name, out, into in (("block1", 16, 1), ("block2", 32, 16)):
        params[name] = {"w": normal(out, into, 3, 3), "gamma": mx.ones(out), "beta": mx.zeros(out)}
        state[name] = {"mean": mx.zeros(out), "var": mx.ones(out)}
    params["head"] = {"w": normal(10, 32 * 2 * 2), "b": mx.zeros(10)}
    return params, state


def block(x, p, s, training):
    x = bg.conv2d(x, p["w"], padding=1)
    if training:
        x, mean, var = bg.batch_norm(x, s["mean"], s["var"], p["gamma"], p["beta"], training=True)
        s = {"mean": mean, "var": var}
    else:
        x = bg.batch_norm(x, s["mean"], s["var"], p["gamma"], p["beta"])
    return bg.max_pool2d(bg.relu(x), 2), s


def forward(params, state, images, training=False):
    """Scores [N, 10] and the next state for images [N, 1, 8, 8]."""
    x, one = block(images, params["block1"], state["block1"], training)
    x, two = block(x, params["block2"], state["block2"], training)
    scores = bg.linear(bg.flatten(x, 1), params["head"]["w"], params["head"]["b"])
    return scores, {"block1": one, "block2": two}


def loss(params, state, images, labels):
    """Mean cross-entropy and the next state, in training mode."""
    scores, state = forward(params, state, images, training=True)
    return bg.cross_entropy(scores, labels), state


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images [N, 1, 8, 8] in 0..1, test images, training labels, test labels; a fixed 25 % split."""
    digits = load_digits()
    images = (digits.images / 16).astype("float32")[:, None]
    return tuple(train_test_split(images, digits.target.astype("int32"), test_size=0.25, random_state=0))


def save(path: Path, tree: dict) -> None:
    """Write the arrays under a temporary name, then rename, so that a broken run leaves no half-written file."""
    partial = path.with_name(path.name + ".partial.safetensors")
    mx.save_safetensors(str(partial), dict(tree_flatten(tree)))
    os.replace(partial, path)


def train(epochs: int = 20, console: Console | None = None) -> tuple[dict, dict, bg.Program, list[float], list[float]]:
    """Parameters, state, the step program, the loss of every step, the seconds of every step."""
    images, _, labels, _ = data()
    params, state = init()
    optimizer = optim.Adam(learning_rate=optim.cosine_decay(3e-3, epochs * (len(images) // BATCH)), bias_correction=True)
    step = bg.compile(bg.value_and_grad(loss, has_aux=True))
    rng = np.random.default_rng(0)
    losses, seconds = [], []
    for _ in track(range(epochs), description="training", console=console, disable=console is None):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            begin = time.perf_counter()
            (value, state), grads = step.lazy(params, state, images[chosen], labels[chosen])
            params = optimizer.apply_gradients(grads, params)
            mx.eval(value, params, optimizer.state, state)
            seconds.append(time.perf_counter() - begin)
            losses.append(value.item())
    return params, state, step, losses, seconds


def draw(image: np.ndarray) -> str:
    """An 8 x 8 image in 0..1 as four lines of half blocks."""
    shades = " ░▒▓█"
    return "\n".join("".join(2 * shades[int(v * 4)] for v in row) for row in image)


def preprocess(picture: np.ndarray) -> np.ndarray:
    """A picture [3, H, W] in 0..1 as the network reads digits: [1, 8, 8], bright strokes on black, averaged down."""
    gray = picture.mean(0)
    if gray[0].mean() + gray[-1].mean() > 1:  # a bright border: dark ink on paper
        gray = 1 - gray
    rows = np.array_split(gray, 8, axis=0)
    return np.array([[cell.mean() for cell in np.array_split(row, 8, axis=1)] for row in rows], "float32")[None]


def classify(images: np.ndarray) -> np.ndarray:
    """The digit in each image [N, 1, 8, 8], by the saved weights."""
    if not WEIGHTS.exists():
        raise bg.errors.InputError(f"no trained weights at {WEIGHTS}", "train them first: python examples/digits.py")
    tree = tree_unflatten(list(mx.load(str(WEIGHTS)).items()))
    program = bg.compile(lambda x: forward(tree["params"], tree["state"], x)[0])
    return np.array(program(images)).argmax(-1)


def model(image):
    """Scores [N, 10] of a network with fresh weights; for `burngraph dump` and `bench`."""
    return forward(*init(), image)[0]


def inputs():
    return {"image": data()[1][:8]}


def main() -> None:
    console = Console()
    params, state, step, losses, seconds = train(console=console)
    save(WEIGHTS, {"params": params, "state": state})
    _, images, _, labels = data()
    predicted = classify(images)
    accuracy = float((predicted == labels).mean())
    console.print(f"test accuracy      {accuracy:.4f} on {len(labels)} images")
    console.print(f"time per step      {1e3 * float(np.median(seconds)):.2f} ms (median of {len(seconds)}, batch {BATCH})")
    console.print(f"loss               {losses[0]:.3f} -> {losses[-1]:.4f}")
    console.print(str(step.certificate()), highlight=False)
    console.print(f"weights            {WEIGHTS.name}")
    for index in range(3):
        console.print(f"\npredicted {predicted[index]}, is {labels[index]}\n{draw(images[index, 0])}", highlight=False)
    if accuracy < 0.98:
        raise SystemExit(f"accuracy {accuracy:.4f} is below 0.98")


if __name__ == "__main__":
    main()
