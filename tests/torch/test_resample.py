"""interpolate, grid_sample and affine_grid against PyTorch, values and gradients."""

import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")
F = torch.nn.functional

RNG = np.random.default_rng(0)


def f32(*shape):
    return RNG.normal(size=shape).astype("float32")


LINE, IMAGE, VOLUME = f32(2, 3, 7), f32(2, 3, 5, 7), f32(1, 2, 3, 4, 5)


def check(ours, theirs, arrays, rtol=1e-4, atol=2e-5):
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    want = theirs(*leaves)
    seed = f32(*want.shape)
    wanted = torch.autograd.grad((want * torch.from_numpy(seed)).sum(), leaves, allow_unused=True)

    def loss(*arrays):
        y = ours(*arrays)
        return bg.sum(y * seed), y

    (_, found), gradients = bg.compile(bg.value_and_grad(loss, tuple(range(len(arrays))), has_aux=True))(*arrays)
    np.testing.assert_allclose(np.array(found), want.detach().numpy(), rtol=rtol, atol=atol)
    for gradient, want in zip(gradients if len(arrays) > 1 else (gradients,), wanted, strict=True):
        np.testing.assert_allclose(np.array(gradient), 0 if want is None else want.numpy(), rtol=rtol, atol=5 * atol)


MODES = {LINE.ndim: ["linear"], IMAGE.ndim: ["bilinear", "bicubic"], VOLUME.ndim: ["trilinear"]}
INTERPOLATIONS = [
    (x, {"mode": mode, **({"align_corners": corners} if corners is not None else {}), **to})
    for x in (LINE, IMAGE, VOLUME)
    for mode, corners in [
        *((m, None) for m in ("nearest", "nearest-exact", "area")),
        *((m, c) for m in MODES[x.ndim] for c in (False, True)),
    ]
    for to in (
        {"size": (11, 4, 6)[: x.ndim - 2]},
        {"size": (14, 10, 8)[-(x.ndim - 2) :]},
        {"scale_factor": 1.7},
        {"scale_factor": 0.6, "recompute_scale_factor": True},
    )
    if x.ndim != 5 or "scale_factor" not in to
]


@pytest.mark.parametrize(("x", "options"), INTERPOLATIONS, ids=lambda v: str(v) if isinstance(v, dict) else str(v.ndim))
def test_interpolate(x, options):
    check(lambda x: bg.interpolate(x, **options), lambda x: F.interpolate(x, **options), (x,))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("size", [(170, 3), (40, 300)])
def test_interpolate_of_long_lines(mode, size):
    x = f32(1, 2, 90, 150)
    check(lambda x: bg.interpolate(x, size, mode=mode), lambda x: F.interpolate(x, size, mode=mode), (x,))


def test_nearest_rounds_as_torch_does_at_every_ratio():
    for n in (3, 14, 41):
        x = np.arange(n, dtype="float32")[None, None]
        for size in range(1, 60):
            want = F.interpolate(torch.from_numpy(x), size=size).numpy()
            np.testing.assert_array_equal(np.array(bg.interpolate(x, size)), want, err_msg=f"{n} to {size}")


@pytest.mark.parametrize("factor", [1.1, 1.3, 1.048, 2.16, 2.4])
def test_a_scale_factor_that_leaves_or_doubles_the_size(factor):
    for x, modes in ((LINE, ["linear"]), (IMAGE, ["bilinear", "bicubic"]), (VOLUME, ["trilinear"])):
        x = x[(..., *(slice(n) for n in (3, 2, 5)[: x.ndim - 2]))]
        for mode in ("nearest", "nearest-exact", *modes):
            for aligned in (None, True) if mode in modes else (None,):
                options = {"scale_factor": factor, "mode": mode, "align_corners": aligned}
                want = F.interpolate(torch.from_numpy(x), **options).numpy()
                found = np.array(bg.interpolate(x, **options))
                np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5, err_msg=f"{options} {x.shape}")


SAMPLINGS = [
    (IMAGE, mode, padding, corners)
    for mode in ("bilinear", "nearest", "bicubic")
    for padding in ("zeros", "border", "reflection")
    for corners in (False, True)
] + [
    (VOLUME, mode, padding, corners)
    for mode in ("bilinear", "nearest")
    for padding in ("zeros", "border", "reflection")
    for corners in (False, True)
]


@pytest.mark.parametrize(("x", "mode", "padding", "corners"), SAMPLINGS, ids=lambda v: str(getattr(v, "ndim", v)))
def test_grid_sample(x, mode, padding, corners):
    grid = np.random.default_rng(3).uniform(-2.5, 2.5, (x.shape[0], *((6, 4, 3)[: x.ndim - 2]), x.ndim - 2)).astype("float32")
    check(lambda x, g: bg.grid_sample(x, g, mode, padding, corners), lambda x, g: F.grid_sample(x, g, mode, padding, corners),
          (x, grid), atol=1e-4)  # fmt: skip


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_grid_sample_at_pixels_and_edges(mode, padding):
    """Positions that are whole, halves and the very ends, where torch's derivative of a clamp is 0."""
    at = np.array([-1, -0.75, -0.5, 0, 0.5, 1, 1.5], "float32")
    grid = np.stack(np.meshgrid(at, at), -1)[None]
    x = f32(1, 2, 5, 9)
    leaf = torch.tensor(x, requires_grad=True)
    want = F.grid_sample(leaf, torch.from_numpy(grid), mode, padding, True)
    np.testing.assert_allclose(np.array(bg.grid_sample(x, grid, mode, padding, True)), want.detach().numpy(), atol=1e-5)
    if padding == "border":
        check(lambda x, g: bg.grid_sample(x, g, mode, padding, True), lambda x, g: F.grid_sample(x, g, mode, padding, True),
              (x, grid))  # fmt: skip


def test_infinite_and_huge_positions_with_padding():
    grid = np.array([[[[np.inf, 0.3], [-np.inf, 0.2], [1e30, 0.0], [0.1, -1e30]]]], "float32")
    x = f32(1, 2, 3, 4)
    want = F.grid_sample(torch.from_numpy(x), torch.from_numpy(grid), padding_mode="border", align_corners=False).numpy()
    np.testing.assert_allclose(np.array(bg.grid_sample(x, grid, padding_mode="border")), want, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Since version 1.3.0, affine_grid")
@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 3, 1, 6), (2, 3, 2, 1, 4)])
def test_affine_grid(size, corners):
    theta = f32(2, len(size) - 2, len(size) - 1)
    check(lambda t: bg.affine_grid(t, size, corners), lambda t: F.affine_grid(t, size, corners), (theta,))
