"""Images read between their pixels: layout, Burn's rules, second derivatives, deformable convolution, errors."""

import math
from itertools import product

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.passes.eliminate_layout import eliminate_layout_with_certificate

RNG = np.random.default_rng(0)


def f32(*shape):
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "area"])
def test_no_permute_is_left_between_convolutions(mode):
    """Forward and backward, at a regular ratio and at an irregular one."""

    def loss(w, v, x):
        y = bg.interpolate(bg.relu(bg.conv2d(x, w)), (12, 11), mode=mode)
        return bg.sum(bg.square(bg.conv2d(y, v)))

    graph = bg.trace(bg.grad(loss, (0, 1)), f32(4, 3, 3, 3), f32(5, 4, 3, 3), f32(2, 3, 8, 9))
    after, certificate = eliminate_layout_with_certificate(graph)
    assert certificate.interior == ()
    assert [node.op.axis for node in after.nodes if node.op.name == "resample"] == [2, 1, 1, 2]  # the axis that shrinks first


def test_source_holds_no_large_constants():
    program = bg.compile(lambda x: bg.interpolate(x, (300, 500), mode="bicubic"))
    program(f32(1, 2, 40, 200))
    assert max(map(len, program.source.splitlines())) < 200
    assert "arange" in program.source.split("def run")[0]
    assert "arange" not in program.source.split("def run")[1]


def burn_weights(n, size, mode, align_corners):
    """Part 1.10.6 of Burn's definition, one weight at a time."""
    matrix = np.zeros((size, n))
    for o in range(size):
        c = o * (n - 1) / max(size - 1, 1) if align_corners else (o + 0.5) * n / size - 0.5
        if mode == "nearest":
            matrix[o, min(o * n // size, n - 1)] = 1
        elif mode == "bilinear":
            low = max(math.floor(c), 0)
            high, t = min(low + 1, n - 1), max(c - low, 0)
            matrix[o, low] += 1 - t
            matrix[o, high] += t
        elif mode == "bicubic":
            for k in range(-1, 3):
                d = abs(c - math.floor(c) - k)
                a = -0.75
                near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
                matrix[o, min(max(math.floor(c) + k, 0), n - 1)] += near if d <= 1 else far
        else:
            for i in range(max(math.floor(c) - 2, 0), min(math.floor(c) + 3, n - 1) + 1):
                matrix[o, i] = np.sinc(c - i) * np.sinc((c - i) / 3)
            matrix[o] /= matrix[o].sum()
    return matrix


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "lanczos3"])
@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [(11, 4), (1, 7), (10, 1)])
def test_resample_has_burns_rules(mode, align_corners, size):
    x = f32(2, 5, 7)
    want = np.einsum("nhw,oh,pw->nop", x, *(burn_weights(n, o, mode, align_corners) for n, o in zip((5, 7), size, strict=True)))
    np.testing.assert_allclose(np.array(bg.resample(x, size, mode, align_corners)), want, atol=3e-6)


def test_nearest_of_resample_is_exact_where_torch_rounds_down():
    x = np.arange(14, dtype="float32")
    exact = np.arange(46) * 14 // 46
    np.testing.assert_array_equal(np.array(bg.resample(x, 46)), exact)
    assert (np.array(bg.interpolate(x[None, None], 46))[0, 0] != exact).sum() == 1  # 23 * 14 / 46 = 7, in f32 6.9999995


def test_nearest_keeps_the_dtype_and_other_modes_make_floats():
    x = np.array([[[1, 5, 9]]], "uint8")
    np.testing.assert_array_equal(np.array(bg.interpolate(x, 6)), [[[1, 1, 5, 5, 9, 9]]])
    assert bg.interpolate(x, 6).dtype == mx.uint8
    assert bg.interpolate(x, 6, mode="linear").dtype == mx.float32
    assert bg.interpolate(mx.array(x).astype(mx.bfloat16), 4, mode="linear").dtype == mx.bfloat16


def test_grid_sample_of_nan_and_infinity_stays_inside():
    grid = np.array([[[[np.nan, 0.3], [np.inf, 0.2], [-1e38, 0.0], [0.1, np.nan], [1e38, -np.inf]]]], "float32")
    for mode, padding in product(("bilinear", "nearest", "nearest-away", "bicubic"), ("zeros", "border", "reflection")):

        def total(x, g, mode=mode, padding=padding):
            return bg.sum(bg.grid_sample(x, g, mode, padding))

        x = f32(1, 2, 3, 4)
        y = np.array(bg.grid_sample(x, grid, mode, padding))
        by_x, by_grid = bg.compile(bg.grad(total, (0, 1)))(x, grid)
        assert np.isfinite(y).all() and np.isfinite(np.array(by_x)).all()
        if padding == "zeros":
            np.testing.assert_array_equal(y, 0)
            np.testing.assert_array_equal(np.array(by_grid), 0)


def test_nearest_away_rounds_halves_as_burn_does():
    x = np.arange(5, dtype="float32").reshape(1, 1, 1, 5)
    halves = (np.array([0.5, 1.5, 2.5]) * 2 / 4 - 1).astype("float32")  # between pixels, corners aligned
    grid = np.stack([halves, np.zeros(3, "float32")], -1)[None, None]
    np.testing.assert_array_equal(np.array(bg.grid_sample(x, grid, "nearest", "border", True)).ravel(), [0, 2, 2])
    np.testing.assert_array_equal(np.array(bg.grid_sample(x, grid, "nearest-away", "border", True)).ravel(), [1, 2, 3])


def test_identity_grid_gives_the_image_back():
    x = f32(2, 3, 4, 5)
    theta = np.tile(np.array([[1, 0, 0], [0, 1, 0]], "float32"), (2, 1, 1))
    for corners in (False, True):
        grid = bg.affine_grid(theta, x.shape, corners)
        np.testing.assert_allclose(np.array(bg.grid_sample(x, grid, align_corners=corners)), x, atol=1e-5)


def second_derivatives(fn, arrays, h=1e-3):
    """The gradient along a fixed direction, differentiated again, against its central difference; f32."""
    directions = [np.sign(f32(*a.shape)) for a in arrays]
    places = tuple(range(len(arrays)))

    def slope(*arrays):
        gradients = bg.grad(fn, places)(*arrays)
        return sum((bg.sum(g * d) for g, d in zip(gradients, directions, strict=True)), start=0.0)

    found = bg.compile(bg.grad(slope, places))(*arrays)
    along = sum(float(np.sum(np.array(g) * d)) for g, d in zip(found, directions, strict=True))
    ahead, behind = ([a + s * h * d for a, d in zip(arrays, directions, strict=True)] for s in (1, -1))
    value = bg.compile(slope)
    np.testing.assert_allclose(along, (float(value(*ahead)) - float(value(*behind))) / (2 * h), rtol=2e-2, atol=2e-2)


def test_second_derivatives():
    grid = (np.random.default_rng(1).integers(-3, 4, (1, 3, 2, 2)) * 0.25 + 0.06).astype("float32")
    second_derivatives(lambda x, g: bg.sum(bg.sin(bg.grid_sample(x, g, "bicubic", "border"))), [f32(1, 2, 4, 5), grid])
    second_derivatives(lambda x, y: bg.sum(bg.interpolate(bg.sin(x), 9, mode="linear") * y), [f32(1, 2, 5), f32(1, 2, 9)])


def deformed(x, offset, weight, bias, stride, padding, dilation, mask):
    """Burn's definition (1.10.7), one entry at a time, in f64."""
    (n, c, h, w), (o, per, kh, kw) = x.shape, weight.shape
    ho, wo = offset.shape[2:]
    runs, groups = offset.shape[1] // (2 * kh * kw), c // per

    def pixel(b, ch, y, q):
        return x[b, ch, y, q] if 0 <= y < h and 0 <= q < w else 0.0

    out = np.zeros((n, o, ho, wo)) + (0 if bias is None else bias[:, None, None])
    for b, oc, i, j, ic, p, q in product(*map(range, (n, o, ho, wo, per, kh, kw))):
        ch = oc // (o // groups) * per + ic
        g, k = ch // (c // runs), p * kw + q
        y = i * stride[0] + p * dilation[0] - padding[0] + offset[b, g * kh * kw * 2 + 2 * k, i, j]
        z = j * stride[1] + q * dilation[1] - padding[1] + offset[b, g * kh * kw * 2 + 2 * k + 1, i, j]
        y0, z0 = math.floor(y), math.floor(z)
        v, u = y - y0, z - z0
        value = (1 - v) * (1 - u) * pixel(b, ch, y0, z0) + (1 - v) * u * pixel(b, ch, y0, z0 + 1)
        value += v * (1 - u) * pixel(b, ch, y0 + 1, z0) + v * u * pixel(b, ch, y0 + 1, z0 + 1)
        out[b, oc, i, j] += weight[oc, ic, p, q] * value * (1 if mask is None else mask[b, g * kh * kw + k, i, j])
    return out


def deform_case(groups, runs, with_mask, seed=2):
    rng = np.random.default_rng(seed)
    n, c, o, (h, w), (kh, kw), stride, padding, dilation = 2, 4, 6, (5, 6), (2, 3), (2, 1), (1, 2), (1, 2)
    ho, wo = (h + 2 - 1 - 1) // 2 + 1, w + 4 - 4 - 1 + 1
    x, weight = rng.normal(size=(n, c, h, w)), rng.normal(size=(o, c // groups, kh, kw))
    offset = rng.integers(-2, 3, (n, runs * kh * kw * 2, ho, wo)) + rng.uniform(0.1, 0.9, (n, runs * kh * kw * 2, ho, wo))
    mask = rng.uniform(size=(n, runs * kh * kw, ho, wo)) if with_mask else None
    return [x, offset, weight, rng.normal(size=(o,)), mask], (stride, padding, dilation)


@pytest.mark.parametrize(("groups", "runs", "with_mask"), [(1, 1, False), (2, 1, True), (1, 2, True), (2, 4, True)])
def test_deform_conv2d(groups, runs, with_mask):
    """Values, and the derivative along one direction for each operand against the f64 loop's central difference."""
    arrays, (stride, padding, dilation) = deform_case(groups, runs, with_mask)
    given = [a for a in arrays if a is not None]
    seed = np.random.default_rng(5).normal(size=deformed(*arrays[:4], stride, padding, dilation, arrays[4]).shape)

    def loss(x, offset, weight, bias, mask=None):
        y = bg.deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask)
        return bg.sum(y * seed.astype("float32")), y

    step = bg.compile(bg.value_and_grad(loss, tuple(range(len(given))), has_aux=True))
    (_, y), gradients = step(*(a.astype("float32") for a in given))
    want = deformed(*arrays[:4], stride, padding, dilation, arrays[4])
    np.testing.assert_allclose(np.array(y), want, rtol=1e-4, atol=1e-4)
    for i, gradient in enumerate(gradients):
        direction = np.random.default_rng(i).normal(size=given[i].shape)
        moved = [[a + s * 1e-6 * direction if a is given[i] else a for a in arrays] for s in (1, -1)]
        ahead, behind = (np.sum(seed * deformed(*m[:4], stride, padding, dilation, m[4])) for m in moved)
        np.testing.assert_allclose(np.sum(np.array(gradient) * direction), (ahead - behind) / 2e-6, rtol=1e-3, atol=1e-3)


def test_deform_conv2d_without_offsets_is_conv2d():
    x, weight, bias = f32(2, 4, 6, 7), f32(6, 2, 3, 3), f32(6)
    want = bg.conv2d(x, weight, bias, 2, 1, groups=2)
    offset = np.zeros((2, 18, *want.shape[2:]), "float32")
    np.testing.assert_allclose(np.array(bg.deform_conv2d(x, offset, weight, bias, 2, 1)), np.array(want), atol=1e-5)


def test_wild_offsets_read_zero():
    x, weight = f32(1, 2, 3, 3), f32(1, 2, 1, 1)
    for wild in (np.nan, np.inf, -np.inf, 1e38, -5.0):
        offset = np.full((1, 2, 3, 3), wild, "float32")
        np.testing.assert_array_equal(np.array(bg.deform_conv2d(x, offset, weight)), 0)


ERRORS = {
    "rank": (lambda: bg.interpolate(f32(3, 4), 2), ShapeError, "must be [N, C, *S] with 1 to 3 spatial axes"),
    "both": (lambda: bg.interpolate(f32(1, 1, 4), 2, 2.0), InputError, "give either size or scale_factor"),
    "mode": (lambda: bg.interpolate(f32(1, 1, 4), 2, mode="bilinear"), InputError, "mode 'bilinear' is not for 1 spatial axes"),
    "corners": (lambda: bg.interpolate(f32(1, 1, 4), 2, align_corners=True), InputError, "align_corners means nothing"),
    "antialias": (lambda: bg.interpolate(f32(1, 1, 4), 2, antialias=True), InputError, "antialias=True is not supported"),
    "factor": (lambda: bg.interpolate(f32(1, 1, 4), scale_factor=0.0), InputError, "must be a number above 0"),
    "empty": (lambda: bg.interpolate(f32(1, 1, 0), 2), ShapeError, "an axis is empty"),
    "vanishes": (lambda: bg.interpolate(f32(1, 1, 4), scale_factor=0.1), ShapeError, "an axis is empty"),
    "resample mode": (lambda: bg.resample(f32(4), 2, "sinc"), InputError, "mode 'sinc' is none of"),
    "complex": (lambda: bg.resample(f32(4).astype("complex64"), 2), DTypeError, "resample: x is c64[4]"),
    "grid": (lambda: bg.grid_sample(f32(1, 1, 4, 4), f32(1, 2, 2, 3)), ShapeError, "takes x [N, C, *S]"),
    "grid mode": (lambda: bg.grid_sample(f32(1, 1, 2, 2, 2), f32(1, 1, 1, 1, 3), "bicubic"), InputError, "mode 'bicubic'"),
    "grid padding": (lambda: bg.grid_sample(f32(1, 1, 4, 4), f32(1, 2, 2, 2), padding_mode="wrap"), InputError, "'wrap'"),
    "affine": (lambda: bg.affine_grid(f32(2, 2, 3), (3, 1, 4, 4)), ShapeError, "affine_grid: takes theta [N, 2, 3]"),
    "offset": (lambda: bg.deform_conv2d(f32(1, 2, 4, 4), f32(1, 7, 4, 4), f32(1, 2, 1, 1)), ShapeError, "[1, G * 2, 4, 4]"),
    "channels": (lambda: bg.deform_conv2d(f32(1, 3, 4, 4), f32(1, 2, 4, 4), f32(1, 2, 1, 1)), ShapeError, "3 channels"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    call, kind, message = ERRORS[case]
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value) and "test_resample.py" in str(caught.value)


def test_vmap():
    x, grid, offset = f32(3, 2, 2, 4, 5), f32(3, 2, 4, 3, 2), f32(3, 2, 8, 3, 4)
    weight = f32(1, 2, 2, 2)
    for fn, arrays in (
        (lambda x: bg.interpolate(x, (9, 3), mode="bicubic"), (x,)),
        (bg.grid_sample, (x, grid)),
        (lambda x, offset: bg.deform_conv2d(x, offset, weight), (x, offset)),
    ):
        want = np.stack([np.array(fn(*(a[k] for a in arrays))) for k in range(3)])
        np.testing.assert_allclose(np.array(bg.vmap(fn)(*arrays)), want, atol=1e-5)
