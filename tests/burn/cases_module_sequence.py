"""Cases for Burn's CTC loss and Fourier transforms."""

import itertools

import numpy as np

from tests.burn.harness import FLOATS, SPECIAL, Case, T


def collapsed(path, blank):
    """What a path says: repeats are one label, blanks none."""
    return [label for label, _ in itertools.groupby(path) if label != blank]


def ctc_paths(log_probs, targets, input_lengths, target_lengths, blank):
    """Per example, each path that says its target, and the path's probability."""
    for n in range(log_probs.shape[1]):
        steps, target = range(input_lengths[n]), list(targets[n, : target_lengths[n]])
        said = [
            (path, np.exp(sum(log_probs[t, n, path[t]] for t in steps)))
            for path in itertools.product(range(log_probs.shape[2]), repeat=len(steps))
            if collapsed(path, blank) == target
        ]
        yield n, said


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank):
    found = np.full(log_probs.shape[1], np.inf)
    for n, said in ctc_paths(log_probs, targets, input_lengths, target_lengths, blank):
        if said:
            found[n] = -np.log(sum(probability for _, probability in said))
    return found


def ctc_loss_backward(log_probs, targets, input_lengths, target_lengths, grad_loss, blank):
    found = np.zeros(log_probs.shape)
    for n, said in ctc_paths(log_probs, targets, input_lengths, target_lengths, blank):
        total = sum(probability for _, probability in said)
        for path, probability in said:
            for t, label in enumerate(path):
                found[t, n, label] -= grad_loss[n] * probability / total
    return found


def waves(n):
    """exp(-2 pi i k m / n)."""
    return np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)


def resized(x, n):
    """`n` entries along the last axis, cut or with zeros after them."""
    found = np.zeros((*x.shape[:-1], n), x.dtype)
    m = min(n, x.shape[-1])
    found[..., :m] = x[..., :m]
    return found


def rfft(signal, dim, n):
    x = np.moveaxis(signal, dim, -1)
    n = x.shape[-1] if n is None else n
    spectrum = np.moveaxis((resized(x, n) @ waves(n))[..., : n // 2 + 1], -1, dim)
    return spectrum.real, spectrum.imag


def irfft(re, im, dim, n):
    """By the whole spectrum: its second half is the mirrored conjugate of the first."""
    half = np.moveaxis(re + 1j * im, dim, -1)
    n = 2 * (half.shape[-1] - 1) if n is None else n
    half = resized(half, n // 2 + 1)
    half[..., 0] = half[..., 0].real
    if n % 2 == 0:
        half[..., -1] = half[..., -1].real
    mirrored = half[..., 1 : (n + 1) // 2].conj()[..., ::-1]
    return np.moveaxis((np.concatenate([half, mirrored], -1) @ waves(n).conj()).real / n, -1, dim)


def integers(*numbers):
    return np.array(numbers, np.int32)


TARGETS = integers([1, 2, 9], [2, 2, 1], [3, 0, 0], [0, 0, 0])  # what is beyond a target's length is not looked at
CTC = {
    "targets": TARGETS,
    "input_lengths": integers(4, 5, 2, 3),
    "target_lengths": integers(2, 3, 1, 0),
}
NO_PATH = CTC | {"input_lengths": integers(1, 3, 2, 3)}  # 2 2 1 takes 4 steps, as there is a blank between equal labels
BLANK_LAST = {"targets": integers([0, 1], [1, 1]), "input_lengths": integers(3, 4), "target_lengths": integers(2, 2)}

CASES = [
    *(
        case
        for label, given, shape, blank, dtypes in (
            ("", CTC, (5, 4, 4), 0, FLOATS),
            ("blank last", BLANK_LAST, (4, 2, 3), 2, FLOATS),
            ("no path", NO_PATH, (5, 4, 4), 0, SPECIAL),
        )
        for case in (
            Case("Module.CtcLoss", {"log_probs": T(*shape)} | given, {"blank": blank}, ctc_loss, dtypes, label=label),
            Case(
                "Module.CtcLossBackward",
                {"log_probs": T(*shape)} | given | {"grad_loss": T(shape[1])},
                {"blank": blank},
                ctc_loss_backward,
                dtypes,
                label=label,
            ),
        )
    ),
    *(
        Case("Module.Rfft", {"signal": T(*shape)}, {"dim": dim, "n": n}, rfft, FLOATS, ("T", "T"), label=label)
        for label, shape, dim, n in (
            ("", (2, 8, 3), 1, None),
            ("cut", (3, 8), 1, 4),
            ("padded", (4, 2), 0, 8),
            ("odd", (2, 5), 1, None),
            ("one entry", (1,), 0, None),
        )
    ),
    *(
        Case("Module.IRfft", {"re": T(*shape), "im": T(*shape)}, {"dim": dim, "n": n}, irfft, FLOATS, label=label)
        for label, shape, dim, n in (
            ("", (2, 5, 3), 1, None),
            ("cut", (3, 5), 1, 4),
            ("padded", (3, 2), 0, 8),
            ("odd", (2, 3), 1, 5),
        )
    ),
]
