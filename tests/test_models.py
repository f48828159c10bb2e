"""ResNet-18 and MobileNet-v2: compiled NCHW code equals the NumPy interpreter and has no interior permutes."""

import numpy as np
import pytest

import burngraph as bg
from examples import mobilenet_v2, resnet18


def image(size):
    return np.random.default_rng(0).normal(size=(2, 3, size, size)).astype("float32")


def assert_close(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.array(found) / scale, expected / scale, atol=2e-4)


@pytest.mark.parametrize("model", [resnet18, mobilenet_v2], ids=lambda m: m.__name__.rpartition(".")[2])
def test_forward_equals_the_interpreter_without_interior_permutes(model):
    params = resnet18.init(classes=10, width=8) if model is resnet18 else mobilenet_v2.init(classes=10)
    program = bg.compile(lambda x: model.forward(params, x))
    x = image(32)
    y = program(x)
    assert_close(y, bg.run(bg.trace(lambda x: model.forward(params, x), x), x)[0])
    assert program.certificate().interior == ()


def test_resnet18_training_step_equals_the_interpreter_without_interior_permutes():
    # Of 2 images of 32 x 32 the last batch norms see 2 numbers a channel: gradients then move by 4 % for 1e-6 in the input.
    params, x = resnet18.init(classes=10, width=8), np.random.default_rng(0).normal(size=(4, 3, 64, 64)).astype("float32")
    label = np.array([1, 7, 0, 3], "int32")
    step = bg.value_and_grad(resnet18.loss)
    program = bg.compile(step)
    loss, gradients = program(params, x, label)
    graph = bg.trace(step, params, x, label)
    leaves = [*bg.frontend.trees.flatten(params)[0], x, label]
    expected = bg.run(graph, *leaves)
    for found, want in zip([loss, *bg.frontend.trees.flatten(gradients)[0]], expected, strict=True):
        scale = max(1e-3, float(np.abs(want).max()))
        np.testing.assert_allclose(np.array(found) / scale, want / scale, atol=2e-4)
    assert program.certificate().interior == ()
