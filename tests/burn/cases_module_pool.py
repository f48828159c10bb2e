"""Cases for Burn's pools and their backward operations."""

import itertools

import numpy as np

from tests.burn.harness import FLOATS, SPECIAL, Case, T

NAN = np.nan


def counts(image, size, stride, padding, dilation, ceil_mode):
    """Windows per axis; with ceil_mode the last one may start anywhere."""
    room = [n + 2 * p - d * (k - 1) - 1 for n, k, p, d in zip(image, size, padding, dilation, strict=True)]
    return tuple((-(-r // s) if ceil_mode else r // s) + 1 for r, s in zip(room, stride, strict=True))


def windows(image, size, stride, padding, dilation, ceil_mode):
    """(o, the window's positions in the padding too, those in the image), per window; row by row."""
    for o in np.ndindex(*counts(image, size, stride, padding, dilation, ceil_mode)):
        reached = [
            [a * s - p + b * d for b in range(k)] for a, s, p, k, d in zip(o, stride, padding, size, dilation, strict=True)
        ]
        padded = [[i for i in axis if -p <= i < n + p] for axis, n, p in zip(reached, image, padding, strict=True)]
        inside = [[i for i in axis if 0 <= i < n] for axis, n in zip(reached, image, strict=True)]
        yield o, list(itertools.product(*padded)), list(itertools.product(*inside))


def divisor(padded, inside, count_include_pad):
    return max(len(padded if count_include_pad else inside), 1)


def avg_pool(x, kernel_size, stride, padding, count_include_pad, ceil_mode):
    window = (x.shape[2:], kernel_size, stride, padding, (1,) * len(kernel_size), ceil_mode)
    y = np.zeros((*x.shape[:2], *counts(*window)))
    for o, padded, inside in windows(*window):
        total = sum((x[:, :, *i] for i in inside), np.zeros(x.shape[:2]))
        y[:, :, *o] = total / divisor(padded, inside, count_include_pad)
    return y


def avg_pool_backward(x, grad, kernel_size, stride, padding, count_include_pad, ceil_mode):
    found = np.zeros(x.shape)
    for o, padded, inside in windows(x.shape[2:], kernel_size, stride, padding, (1,) * len(kernel_size), ceil_mode):
        for i in inside:
            found[:, :, *i] += grad[:, :, *o] / divisor(padded, inside, count_include_pad)
    return found


def max_pool_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode):
    window = (x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    y = np.full((*x.shape[:2], *counts(*window)), -np.inf)
    indices = np.full(y.shape, -1, np.int32)
    for o, _, inside in windows(*window):
        if inside:
            entries = np.stack([x[:, :, *i] for i in inside])
            first = np.argmax(entries, 0)  # the first of equal ones, or the first nan
            y[:, :, *o] = np.take_along_axis(entries, first[None], 0)[0]
            indices[:, :, *o] = np.array([np.ravel_multi_index(i, x.shape[2:]) for i in inside])[first]
    return y, indices


def max_pool(x, **window):
    return max_pool_with_indices(x, **window)[0]


def max_pool_backward(x, grad, indices, **window):
    found = np.zeros((*x.shape[:2], np.prod(x.shape[2:])))
    for n, c, *o in np.ndindex(*grad.shape):
        if indices[n, c, *o] >= 0:
            found[n, c, indices[n, c, *o]] += grad[n, c, *o]
    return found.reshape(x.shape)


def adaptive_windows(image, made):
    for o in np.ndindex(*made):
        yield o, tuple(slice(a * n // m, -(-(a + 1) * n // m)) for a, n, m in zip(o, image, made, strict=True))


def adaptive_avg_pool(x, output_size):
    y = np.zeros((*x.shape[:2], *output_size))
    for o, place in adaptive_windows(x.shape[2:], output_size):
        y[:, :, *o] = x[:, :, *place].mean(tuple(range(2, x.ndim)))
    return y


def adaptive_avg_pool_backward(x, grad):
    found = np.zeros(x.shape)
    for o, place in adaptive_windows(x.shape[2:], grad.shape[2:]):
        own = found[:, :, *place]
        own += grad[:, :, *o].reshape(*x.shape[:2], *(1,) * (x.ndim - 2)) / np.prod(own.shape[2:])
    return found


# label: image, size, stride, padding, dilation (of maxima only), ceil_mode
WINDOWS = {
    1: {
        "": ((7,), (3,), (2,), (1,), (1,), False),
        "dilation": ((8,), (2,), (3,), (1,), (2,), False),
        "ceil_mode": ((6,), (3,), (2,), (0,), (1,), True),
        "window outside": ((5,), (2,), (3,), (1,), (1,), True),  # the third of 3 windows starts at 5
        "padding over half": ((4,), (2,), (1,), (3,), (1,), False),
    },
    2: {
        "": ((5, 4), (3, 2), (2, 1), (1, 0), (1, 1), False),
        "dilation": ((5, 6), (2, 3), (1, 2), (0, 1), (2, 1), False),
        "ceil_mode": ((6, 5), (3, 2), (2, 2), (1, 0), (1, 1), True),
        "window outside": ((5, 4), (2, 1), (3, 2), (1, 0), (1, 1), True),  # windows start at row 5 and at column 4
        "padding over half": ((3, 4), (2, 3), (2, 1), (2, 1), (1, 1), False),
    },
}


def pool_cases(rank, label, image, size, stride, padding, dilation, ceil_mode):
    x = T(2, 3, *image, spread=True)
    window = {"kernel_size": size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    dilated = window | {"dilation": dilation}
    made = counts(image, size, stride, padding, dilation, ceil_mode)
    name = f"Module.MaxPool{rank}d"
    is_empty = any(not inside for _, _, inside in windows(image, size, stride, padding, dilation, ceil_mode))
    dtypes = SPECIAL if is_empty else FLOATS  # such a window's maximum is -inf
    cases = [
        Case(name, {"x": x}, dilated, max_pool, dtypes, label=label),
        Case(f"{name}WithIndices", {"x": x}, dilated, max_pool_with_indices, dtypes, ("T", "i32"), label=label),
    ]
    if set(dilation) == {1}:
        averages = f"Module.AvgPool{rank}d"
        for include in (True, False):
            options = window | {"count_include_pad": include}
            named = f"{label} {'with' if include else 'without'} padding".strip()
            cases += [
                Case(averages, {"x": x}, options, avg_pool, FLOATS, label=named),
                Case(f"{averages}Backward", {"x": x, "grad": T(2, 3, *made)}, options, avg_pool_backward, FLOATS, label=named),
            ]
    return cases


def max_pool_backward_cases(rank, image, made, window):
    size = int(np.prod(image))
    at = np.random.default_rng(0).integers(-1, size, (2, 3, *made), np.int32)
    at[0, 0] = 1  # all of a plane to one place
    given = {"x": T(2, 3, *image), "grad": T(2, 3, *made), "indices": at}
    return Case(f"Module.MaxPool{rank}dWithIndicesBackward", given, window, max_pool_backward, FLOATS)


CASES = [
    *(case for rank, found in WINDOWS.items() for label, window in found.items() for case in pool_cases(rank, label, *window)),
    *(
        Case(name, {"x": T(0, 3, 4, 5)}, window | extra, want, FLOATS, label="empty batch")
        for window in ({"kernel_size": (2, 3), "stride": (1, 2), "padding": (1, 0), "ceil_mode": False},)
        for name, extra, want in (
            ("Module.MaxPool2d", {"dilation": (1, 1)}, max_pool),
            ("Module.AvgPool2d", {"count_include_pad": True}, avg_pool),
        )
    ),
    Case(  # 6 x 6 entries 0 ... 35: the last mean is 35 / 4, as its window holds one entry and three of the padding
        "Module.AvgPool2d",
        {"x": np.arange(36.0).reshape(1, 1, 6, 6)},
        {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "ceil_mode": True, "count_include_pad": True},
        avg_pool,
        SPECIAL,
        label="35/4",
    ),
    *(
        Case(
            f"Module.MaxPool{rank}dWithIndices",
            {"x": np.array([1.0, 2.0, 2.0, 2.0, -0.0, 0.0, NAN, 5.0, NAN, -np.inf, -np.inf, 3.0]).reshape(1, 1, *image)},
            {"kernel_size": size, "stride": size, "padding": (0,) * rank, "dilation": (1,) * rank, "ceil_mode": False},
            max_pool_with_indices,
            SPECIAL,
            ("T", "i32"),
            label="ties, nan",
        )
        for rank, image, size in ((1, (12,), (3,)), (2, (3, 4), (1, 2)))
    ),
    max_pool_backward_cases(
        1, (5,), (4,), {"kernel_size": (2,), "stride": (1,), "padding": (0,), "dilation": (1,), "ceil_mode": False}
    ),
    max_pool_backward_cases(
        2,
        (3, 4),
        (2, 3),
        {"kernel_size": (2, 2), "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "ceil_mode": False},
    ),
    *(
        case
        for label, image, made in (
            ("", (6,), (3,)),
            ("overlap", (7,), (3,)),
            ("more than there are", (3,), (5,)),
            ("", (4, 6), (2, 3)),
            ("overlap", (5, 4), (3, 3)),
            ("more than there are", (2, 3), (5, 1)),
            ("", (2, 4, 3), (2, 2, 1)),
            ("overlap", (3, 4, 5), (2, 3, 2)),
            ("more than there are", (2, 1, 3), (3, 2, 4)),
        )
        for case in (
            Case(
                f"Module.AdaptiveAvgPool{len(image)}d",
                {"x": T(2, 3, *image)},
                {"output_size": made},
                adaptive_avg_pool,
                FLOATS,
                label=label,
            ),
            Case(
                f"Module.AdaptiveAvgPool{len(image)}dBackward",
                {"x": T(2, 3, *image), "grad": T(2, 3, *made)},
                {},
                adaptive_avg_pool_backward,
                FLOATS,
                label=label,
            ),
        )
    ),
]
