"""CTC against PyTorch: lengths that differ, repeated labels, impossible targets; and against a sum over all paths."""

import itertools

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 4, 5)).astype("float32")
TARGETS = np.array([[1, 2, 3], [2, 2, 4], [3, 9, -5], [1, 1, 1]])  # entries beyond a length are never read
FULL = ([7, 7, 6, 7], [3, 3, 1, 3])
SHORT = ([7, 4, 2, 4], [3, 3, 0, 3])  # the last needs blanks between equal labels, five steps: impossible

CASES = {
    "full": (FULL, {}),
    "short": (SHORT, {"reduction": "none"}),
    "short, mean, zero": (SHORT, {"zero_infinity": True}),
    "sum": (FULL, {"reduction": "sum"}),
    "another blank": (([7, 7, 6, 7], [1, 3, 0, 2]), {"blank": 4, "reduction": "none"}),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients(name):
    lengths, options = CASES[name]
    safe = np.clip(TARGETS, 0, 4) if options.get("blank") != 4 else np.clip(TARGETS, 0, 3)
    ours = np.where(np.arange(3) < np.array(lengths[1])[:, None], safe, TARGETS)
    leaf = torch.tensor(LOGITS, requires_grad=True)
    want = torch.nn.functional.ctc_loss(
        leaf.log_softmax(-1), torch.from_numpy(safe), *(torch.tensor(n) for n in lengths), **{**options, "zero_infinity": True}
    )
    seed = RNG.normal(size=tuple(want.shape)).astype("float32")
    (want * torch.as_tensor(seed)).sum().backward()
    expected = torch.nn.functional.ctc_loss(
        leaf.log_softmax(-1), torch.from_numpy(safe), *(torch.tensor(n) for n in lengths), **options
    )

    def loss(logits):
        y = bg.ctc_loss(bg.log_softmax(logits, -1), ours, *lengths, **options)
        return bg.sum(y * seed), y

    (_, found), gradient = bg.compile(bg.value_and_grad(loss, has_aux=True), checks=True)(LOGITS)
    np.testing.assert_allclose(np.array(found), expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.array(gradient), leaf.grad.numpy(), rtol=1e-3, atol=1e-5)


def test_all_paths():
    """Every string of 4 steps over 3 classes that collapses to the target, added up; without a batch axis."""
    log_p = np.log(RNG.dirichlet(np.ones(3), 4)).astype("float32")
    for target in ([1], [1, 2], [2, 2], [1, 2, 1], []):
        total = 0.0
        for path in itertools.product(range(3), repeat=4):
            if [k for k, _ in itertools.groupby(path) if k] == target:
                total += np.exp(log_p[np.arange(4), path].sum())
        labels = np.array([*target, 0, 0], "int32")
        found = bg.ctc_loss(log_p, labels, np.array(4), np.array(len(target)), reduction="none")
        assert float(np.array(found)) == pytest.approx(-np.log(total), rel=1e-5)


def test_probability_zero_has_finite_gradients():
    """At step t class t is impossible, so that only the path 1, blank, blank says [1], and none says [2, 1, 2]."""
    with np.errstate(divide="ignore"):
        log_p = np.log(0.5 * (1 - np.eye(3, dtype="float32")))
    value, gradient = bg.value_and_grad(lambda p: bg.ctc_loss(p, np.array([1]), 3, 1, reduction="sum"))(log_p)
    assert float(np.array(value)) == pytest.approx(np.log(8), rel=1e-5)
    np.testing.assert_allclose(np.array(gradient), [[0, -1, 0], [-1, 0, 0], [-1, 0, 0]], atol=1e-6)
    none, gradient = bg.value_and_grad(lambda p: bg.ctc_loss(p, np.array([2, 1, 2]), 3, 3, reduction="sum"))(log_p)
    assert np.isinf(np.array(none)) and (np.array(gradient) == 0).all()


def test_impossible_labels_and_lengths_give_nan():
    log_p = np.log(np.full((3, 5, 4), 0.25, "float32"))
    targets = np.array([[1, 4], [1, -1], [1, 2], [1, 2], [1, 2]])
    found = bg.ctc_loss(log_p, targets, [3, 3, 4, 3, 3], [2, 2, 2, 3, 2], reduction="none")
    assert np.isnan(np.array(found)).tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("dtype", ["int64", "uint64", "uint32"])
def test_impossible_numbers_do_not_wrap_into_the_range_of_labels_and_lengths(dtype):
    log_p = np.log(np.full((3, 2, 4), 0.25, "float32"))
    far = 2**31 if dtype == "uint32" else 2**32 + 1
    for labels, inputs, lengths in (([far, 1], [3, 3], [1, 1]), ([1, 1], [far, 3], [1, 1]), ([1, 1], [3, 3], [far, 1])):
        targets, *lengths = (np.array(n, dtype) for n in (np.reshape(np.array(labels, dtype), (2, 1)), inputs, lengths))
        for loss in (bg.ctc_loss, bg.compile(bg.ctc_loss)):
            found = np.array(loss(log_p, targets, *lengths, reduction="none"))
            assert np.isnan(found).tolist() == [True, False]


def test_refusals():
    log_p = np.zeros((3, 2, 4), "float32")
    with pytest.raises(ShapeError, match=r"pad targets to \[N, S\]"):
        bg.ctc_loss(log_p, np.array([1, 2, 3]), [3, 3], [1, 2])
    with pytest.raises(InputError, match="blank = 4 is none of 4 classes"):
        bg.ctc_loss(log_p, np.array([[1], [2]]), [3, 3], [1, 1], blank=4)
    with pytest.raises(DTypeError, match="input_lengths are f32"):
        bg.ctc_loss(log_p, np.array([[1], [2]]), [3.0, 3.0], [1, 1])
