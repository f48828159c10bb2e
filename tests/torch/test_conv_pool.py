"""Convolutions, pools, windows and norms: values, gradients and gradients of gradients against PyTorch."""

# ruff: noqa: B023  (functions made in a loop are called in the same turn of it)

from itertools import product

import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # its threads cost more than these small arrays
F = torch.nn.functional


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def ties(*shape):
    return np.random.default_rng(3).integers(0, 3, shape).astype("float32")


def close(found, want):
    found, want = np.array(found), want.detach().numpy()
    assert found.shape == want.shape
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(want).max(initial=0))))


def check(ours, theirs, *arrays, second=False):
    """Value and the gradient along a random direction; with `second`, the gradient of a weighted sum of that gradient too."""
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = theirs(*tensors)
    c = draw(*y.shape, seed=1)
    weights = [draw(*a.shape, seed=2) for a in arrays]
    first = torch.autograd.grad((y * torch.tensor(c)).sum(), tensors, create_graph=second)
    places = tuple(range(len(arrays)))

    def loss(*xs):
        out = ours(*xs)
        return bg.sum(out * c), out

    (_, value), gradients = bg.compile(bg.value_and_grad(loss, places, has_aux=True))(*arrays)
    gradients = gradients if len(arrays) > 1 else (gradients,)
    close(value, y)
    for found, want in zip(gradients, first, strict=True):
        close(found, want)
    if not second:
        return
    # the product with the cotangent squared also depends on it, so that a linear function has a second derivative
    bar = torch.tensor(c, requires_grad=True)
    first = torch.autograd.grad((theirs(*tensors) * bar).sum(), tensors, create_graph=True)
    whole = sum((g * torch.tensor(w)).sum() for g, w in zip(first, weights, strict=True))
    wanted = torch.autograd.grad(whole, [*tensors, bar], allow_unused=True)

    def whole_of(bar, *xs):
        gradients = bg.grad(lambda *xs: bg.sum(ours(*xs) * bar), places)(*xs)
        gradients = gradients if len(xs) > 1 else (gradients,)
        return sum((bg.sum(g * w) for g, w in zip(gradients, weights, strict=True)), 0.0)

    *found, of_bar = (lambda g: (*g[1:], g[0]))(bg.compile(bg.grad(whole_of, tuple(range(len(arrays) + 1))))(c, *arrays))
    for got, want, a in zip([*found, of_bar], wanted, [*arrays, c], strict=True):
        close(got, torch.zeros(a.shape) if want is None else want)


CONV = [
    {"stride": s, "padding": p, "dilation": d, "groups": g}
    for s, p, d, g in product((1, (2, 3)), (0, (2, 1)), (1, (2, 1), (1, 3)), (1, 2))
]


@pytest.mark.parametrize("options", CONV, ids=str)
def test_conv2d(options):
    x, w, b = draw(2, 4, 7, 8), draw(6, 4 // options["groups"], 3, 2), draw(6)
    check(lambda *a: bg.conv2d(*a, **options), lambda *a: F.conv2d(*a, **options), x, w, b, second=options in CONV[::5])


@pytest.mark.parametrize(("options", "extra"), [*((o, True) for o in CONV), *((o, False) for o in CONV[::5])], ids=str)
def test_conv_transpose2d(options, extra):
    x, w, b = draw(2, 4, 3, 4), draw(4, 6 // options["groups"], 3, 2), draw(6)
    second = extra and options in CONV[::5]
    options = options | {"output_padding": (0, 0)}
    if extra:
        reach = np.maximum(options["stride"], options["dilation"])  # the most that is allowed, also above stride
        options["output_padding"] = tuple(int(n) - 1 for n in np.broadcast_to(reach, 2))
    ours, theirs = (lambda *a: bg.conv_transpose2d(*a, **options)), (lambda *a: F.conv_transpose2d(*a, **options))
    check(ours, theirs, x, w, b, second=second)


@pytest.mark.parametrize(("stride", "dilation", "groups"), list(product((1, 2), (1, 2), (1, 2, 4))))
def test_one_and_three_axes(stride, dilation, groups):
    options = {"stride": stride, "padding": 1, "dilation": dilation, "groups": groups}
    x, w, b = draw(2, 4, 7), draw(8, 4 // groups, 3), draw(8)
    check(lambda *a: bg.conv1d(*a, **options), lambda *a: F.conv1d(*a, **options), x, w, b)
    w = draw(4, 8 // groups, 3)
    check(lambda *a: bg.conv_transpose1d(*a, **options), lambda *a: F.conv_transpose1d(*a, **options), x, w, b)
    x, w = draw(2, 4, 4, 5, 3), draw(8, 4 // groups, 2, 3, 2)
    check(
        lambda *a: bg.conv3d(*a, **options),
        lambda *a: F.conv3d(*a, **options),
        x,
        w,
        b,
        second=groups == stride == dilation == 2,
    )
    w = draw(4, 8 // groups, 2, 3, 2)
    check(lambda *a: bg.conv_transpose3d(*a, **options), lambda *a: F.conv_transpose3d(*a, **options), x, w, b)


def test_kernel_as_long_as_the_stride_and_a_longer_stride():
    for k, s, p in product((1, 2, 3), (2, 3), (0, 1)):
        if k > 1 or not p:
            x, w = draw(2, 3, 4, 5), draw(3, 2, k, k)
            check(lambda *a: bg.conv_transpose2d(*a, stride=s, padding=p), lambda *a: F.conv_transpose2d(*a, None, s, p), x, w)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("dilation", [1, (2, 3)])
def test_padding_by_name(padding, dilation):
    x, w = draw(2, 3, 9, 8), draw(4, 3, 2, 3)
    check(
        lambda *a: bg.conv2d(*a, padding=padding, dilation=dilation),
        lambda *a: F.conv2d(*a, None, 1, padding, dilation),
        x,
        w,
    )


def test_unequal_padding_is_padding_first():
    x, w = draw(2, 3, 5, 6), draw(4, 3, 2, 3)
    check(
        lambda *a: bg.conv2d(*a, stride=2, padding=((0, 2), (1, 3))),
        lambda x, w: F.conv2d(F.pad(x, (1, 3, 0, 2)), w, stride=2),
        x,
        w,
    )


@pytest.mark.parametrize("groups", [1, 2])
def test_no_examples_and_one_without_batch(groups):
    w, v = draw(4, 4 // groups, 3, 2), draw(4, 2 // groups, 3, 2)
    for x in (draw(0, 4, 5, 6), draw(4, 5, 6)):
        check(lambda *a: bg.conv2d(*a, stride=2, groups=groups), lambda *a: F.conv2d(*a, None, 2, groups=groups), x, w)
        check(
            lambda *a: bg.conv_transpose2d(*a, stride=2, groups=groups),
            lambda *a: F.conv_transpose2d(*a, None, 2, groups=groups),
            x,
            v,
        )


POOL = [
    {"kernel_size": k, "stride": s, "padding": p, "ceil_mode": c}
    for k, s, p, c in product((2, (3, 2)), (None, (2, 3)), (0, 1), (False, True))
]


@pytest.mark.parametrize("options", POOL, ids=str)
@pytest.mark.parametrize("dilation", [1, (2, 1)])
def test_max_pool2d(options, dilation):
    options = options | {"dilation": dilation}
    for x in (draw(2, 3, 7, 8),) if dilation == 1 else (ties(2, 3, 8, 6),):
        check(lambda x: bg.max_pool2d(x, **options), lambda x: F.max_pool2d(x, **options), x, second=options["padding"] == 1)
        y, found = bg.compile(lambda x: bg.max_pool2d(x, **options, return_indices=True))(x)
        want = F.max_pool2d(torch.tensor(x), **options, return_indices=True)
        close(y, want[0])
        np.testing.assert_array_equal(np.array(found), want[1].numpy())


@pytest.mark.parametrize("options", POOL, ids=str)
@pytest.mark.parametrize("more", [{}, {"count_include_pad": False}, {"divisor_override": 5}], ids=str)
def test_avg_pool2d(options, more):
    options = options | more
    for x in (draw(2, 3, 7, 8), draw(1, 2, 6, 5)):
        check(
            lambda x: bg.avg_pool2d(x, **options),
            lambda x: F.avg_pool2d(x, **options),
            x,
            second=options["ceil_mode"] and options["padding"] == 1,
        )


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_pools_of_one_and_three_axes(ceil_mode):
    x, v = draw(2, 3, 8), draw(2, 2, 5, 4, 7)
    more = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": ceil_mode}
    check(lambda x: bg.max_pool1d(x, **more), lambda x: F.max_pool1d(x, **more), x)
    check(lambda x: bg.max_pool3d(x, **more), lambda x: F.max_pool3d(x, **more), v)
    check(lambda x: bg.avg_pool1d(x, **more), lambda x: F.avg_pool1d(x, **more), x)
    for include in (True, False):
        options = more | {"count_include_pad": include}
        check(lambda x: bg.avg_pool3d(x, **options), lambda x: F.avg_pool3d(x, **options), v)
    for ours, theirs, a in ((bg.max_pool1d, F.max_pool1d, x), (bg.max_pool3d, F.max_pool3d, v)):
        found, want = ours(a, **more, return_indices=True)[1], theirs(torch.tensor(a), **more, return_indices=True)[1]
        np.testing.assert_array_equal(np.array(found), want.numpy())


@pytest.mark.parametrize("out", [1, (1, 4), (5, 3), (7, 9), (3, None), 10, (3, 20)])
def test_adaptive_pools(out):
    for x in (draw(2, 3, 7, 8), ties(2, 2, 5, 12)):
        check(lambda x: bg.adaptive_avg_pool2d(x, out), lambda x: F.adaptive_avg_pool2d(x, out), x, second=out == (5, 3))
        check(lambda x: bg.adaptive_max_pool2d(x, out), lambda x: F.adaptive_max_pool2d(x, out), x, second=out == (5, 3))
        found, want = bg.adaptive_max_pool2d(x, out, True)[1], F.adaptive_max_pool2d(torch.tensor(x), out, True)[1]
        np.testing.assert_array_equal(np.array(found), want.numpy())


def test_adaptive_pools_of_one_and_three_axes():
    x, v = draw(2, 3, 19), draw(2, 2, 5, 4, 7)
    for out in (1, 4, 18, 25):  # 18 and 25: more distinct windows than are written out
        check(lambda x: bg.adaptive_avg_pool1d(x, out), lambda x: F.adaptive_avg_pool1d(x, out), x)
        check(lambda x: bg.adaptive_max_pool1d(x, out), lambda x: F.adaptive_max_pool1d(x, out), x)
    for out in (2, (3, 4, 5)):
        check(lambda x: bg.adaptive_avg_pool3d(x, out), lambda x: F.adaptive_avg_pool3d(x, out), v)
        check(lambda x: bg.adaptive_max_pool3d(x, out), lambda x: F.adaptive_max_pool3d(x, out), v)
    found, want = bg.adaptive_max_pool3d(v, (3, 2, 5), True)[1], F.adaptive_max_pool3d(torch.tensor(v), (3, 2, 5), True)[1]
    np.testing.assert_array_equal(np.array(found), want.numpy())


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_lp_pools(p, ceil_mode):
    x, y, z = (np.abs(draw(*shape)) + 0.1 for shape in ((2, 3, 7), (2, 3, 7, 6), (2, 2, 5, 4, 3)))
    check(lambda x: bg.lp_pool1d(x, p, 3, 2, ceil_mode), lambda x: F.lp_pool1d(x, p, 3, 2, ceil_mode), x, second=True)
    check(lambda x: bg.lp_pool2d(x, p, (2, 3), None, ceil_mode), lambda x: F.lp_pool2d(x, p, (2, 3), None, ceil_mode), y)
    check(lambda x: bg.lp_pool3d(x, p, 2, 1, ceil_mode), lambda x: F.lp_pool3d(x, p, 2, 1, ceil_mode), z)


def test_max_unpool():
    x, v = draw(2, 3, 7, 8), draw(2, 2, 4, 6, 5)
    for shape, pool, n in ((x, F.max_pool2d, 2), (v, F.max_pool3d, 3), (draw(2, 3, 9), F.max_pool1d, 1)):
        y, at = pool(torch.tensor(shape), 2, return_indices=True)
        ours, theirs = getattr(bg, f"max_unpool{n}d"), getattr(F, f"max_unpool{n}d")
        places, size = at.numpy().astype("int32"), list(shape.shape[2:])
        check(lambda y: ours(y, places, 2, output_size=size), lambda y: theirs(y, at, 2, output_size=size), y.numpy())
        check(lambda y: ours(y, places, 3, 2), lambda y: theirs(y, at, 3, 2), y.numpy())


@pytest.mark.parametrize(("padding", "stride", "dilation"), list(product((0, (1, 2)), (1, (2, 3)), (1, (2, 1)))))
def test_unfold_and_fold(padding, stride, dilation):
    options = {"kernel_size": (2, 3), "padding": padding, "stride": stride, "dilation": dilation}
    for x in (draw(2, 3, 6, 7), draw(3, 6, 7)):
        second = stride != 1 and x.ndim == 4
        check(lambda x: bg.unfold(x, **options), lambda x: F.unfold(x, **options), x, second=second)
        columns = F.unfold(torch.tensor(x), **options).numpy()
        check(lambda x: bg.fold(x, (6, 7), **options), lambda x: F.fold(x, (6, 7), **options), columns, second=second)


def test_windows_along_any_axis():
    x = draw(3, 7, 4)
    for dim, size, step in ((0, 2, 1), (1, 3, 2), (-1, 4, 1), (1, 2, 3)):
        ours, theirs = (lambda x: bg.sliding_windows(x, dim, size, step)), (lambda x: x.unfold(dim, size, step))
        check(ours, theirs, x, second=True)


def test_shuffles_and_local_response_norm():
    x, y = draw(2, 12, 3, 4), draw(2, 3, 4, 6)
    check(lambda x: bg.pixel_shuffle(x, 2), lambda x: F.pixel_shuffle(x, 2), x)
    check(lambda x: bg.pixel_unshuffle(x, 2), lambda x: F.pixel_unshuffle(x, 2), y)
    check(lambda x: bg.channel_shuffle(x, 3), lambda x: torch.channel_shuffle(x, 3), x)
    for size in (1, 2, 3, 5):
        more = {"size": size, "alpha": 0.3, "beta": 0.7, "k": 1.5}
        check(lambda x: bg.local_response_norm(x, **more), lambda x: F.local_response_norm(x, **more), x, second=size == 3)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_pad_modes(mode):
    x = draw(2, 3, 4, 5)
    ours = lambda x: bg.pad(x, [(0, 0), (0, 0), (2, 1), (0, 3)], mode=mode)  # noqa: E731
    check(ours, lambda x: F.pad(x, (0, 3, 2, 1), mode=mode), x, second=True)


def test_norms():
    x, w, b = draw(2, 6, 4, 3), draw(6, seed=4), draw(6, seed=5)
    for groups in (1, 2, 6):
        check(
            lambda *a: bg.group_norm(a[0], groups, *a[1:]),
            lambda *a: F.group_norm(a[0], groups, *a[1:]),
            x,
            w,
            b,
            second=groups == 2,
        )
    check(
        lambda x, w, b: bg.instance_norm(x, weight=w, bias=b),
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
        x, w, b, second=True,
    )  # fmt: skip
    v = draw(4, 3, seed=6)
    check(lambda x, w: bg.rms_norm(x, (4, 3), w), lambda x, w: F.rms_norm(x, (4, 3), w), x, v, second=True)
    check(lambda x: bg.rms_norm(x, 3, eps=0.1), lambda x: F.rms_norm(x, (3,), eps=0.1), x)


def test_running_statistics_of_instance_norm():
    x, mean, var = draw(3, 4, 5, 2), draw(4), np.abs(draw(4)) + 0.5
    theirs = torch.tensor(mean), torch.tensor(var)
    want = F.instance_norm(torch.tensor(x), *theirs, use_input_stats=True, momentum=0.3)
    y, *ours = bg.instance_norm(x, mean, var, momentum=0.3)
    for found, wanted in zip([y, *ours], [want, *theirs], strict=True):
        close(found, wanted)
    held = torch.tensor(mean), torch.tensor(var)
    close(
        bg.instance_norm(x, mean, var, use_input_stats=False),
        F.instance_norm(torch.tensor(x), *held, use_input_stats=False),
    )


def test_embedding():
    at, w = np.array([[0, 2, 1], [2, 2, 3]], "int32"), draw(4, 5)
    for pad in (None, 2, -1):
        check(
            lambda w: bg.embedding(at, w, padding_idx=pad),
            lambda w: F.embedding(torch.tensor(at), w, padding_idx=pad),
            w,
        )
