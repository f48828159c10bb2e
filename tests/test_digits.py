"""The main job: the digits network trains, and equals the same network written by hand in channels-last MLX."""

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np

import burngraph as bg
from examples import digits
from tests.peers import digits_nhwc


def run_steps(step, params, state, batches, as_batch):
    optimizer = optim.Adam(learning_rate=3e-3, bias_correction=True)
    losses = []
    for images, labels in batches:
        (value, state), grads = step(params, state, as_batch(images), mx.array(labels))
        params = optimizer.apply_gradients(grads, params)
        mx.eval(value, params, optimizer.state, state)
        losses.append(value.item())
    return losses


def test_losses_equal_hand_written_channels_last_over_20_steps():
    images, _, labels, _ = digits.data()
    batches = [(images[i * 64 : i * 64 + 64], labels[i * 64 : i * 64 + 64]) for i in range(20)]
    params, state = digits.init()
    ours = run_steps(bg.compile(bg.value_and_grad(digits.loss, has_aux=True)).lazy, params, state, batches, mx.array)
    peer = run_steps(digits_nhwc.step, *digits_nhwc.from_nchw(params, state), batches, digits_nhwc.batch)
    np.testing.assert_allclose(ours, peer, rtol=1e-4)


def test_training_step_has_no_interior_permutes():
    images, _, labels, _ = digits.data()
    step = bg.compile(bg.value_and_grad(digits.loss, has_aux=True))
    step.specialise(*digits.init(), images[:64], labels[:64])
    assert step.certificate().interior == ()


def test_three_epochs_reach_90_percent(tmp_path, monkeypatch):
    monkeypatch.setattr(digits, "WEIGHTS", tmp_path / "digits.safetensors")
    params, state, *_ = digits.train(epochs=3)
    digits.save(digits.WEIGHTS, {"params": params, "state": state})
    _, images, _, labels = digits.data()
    assert (digits.classify(images) == labels).mean() >= 0.9
    assert [path.name for path in tmp_path.iterdir()] == ["digits.safetensors"]
