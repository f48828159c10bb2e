"""Programs as a user meets them: what they capture and give back, how they nest, what retraces, and what is refused."""

import gc
import inspect
import warnings

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import InputError, RetraceWarning

X = np.arange(6, dtype="float32").reshape(2, 3)


def test_a_captured_array_is_what_it_was_when_traced():
    kernel, scale = mx.ones((2, 2, 1, 1)), mx.ones((2, 2))
    program = bg.compile(lambda x: (bg.conv2d(x, kernel), x * scale))
    x = mx.ones((1, 2, 2, 2))
    before = [r.tolist() for r in program(x)]
    kernel[:] = 2
    scale[:] = 2
    assert [r.tolist() for r in program(x)] == before


def test_a_bound_weight_is_read_again_when_it_is_another_object():
    weights, scale = {"captured.0": mx.ones(3)}, mx.zeros(3)
    program = bg.compile(bg.trace(lambda x: x * scale, X), weights=weights)
    assert program(X).tolist() == X.tolist()
    weights["captured.0"][:] = 2  # in place: not seen
    assert program(X).tolist() == X.tolist()
    weights["captured.0"] = mx.full(3, 2.0)
    assert program(X).tolist() == (2 * X).tolist()


def test_results_are_objects_of_their_own():
    weight, given = mx.zeros(2), mx.array(X)

    def f(x):
        y = x + 1
        return x, weight, y, y, bg.reshape(x, (2, 3)), bg.sum(x, axis=())

    program = bg.compile(f)
    results = program(given)
    expected = [r.tolist() for r in results]
    assert len(set(map(id, (given, weight, *results)))) == 8
    for result in results:
        result[:] = -9
    assert (given.tolist(), weight.tolist()) == (X.tolist(), [0.0, 0.0])
    assert [r.tolist() for r in program(given)] == expected


def test_fresh_results_are_not_wrapped_again():
    assert bg.compile(lambda x: (x + 1, x * 2)).specialise(X)._entry().lowered.shared == ()


@pytest.mark.parametrize("wrap", [lambda f: f, bg.compile, lambda f: bg.compile(bg.compile(f))])
def test_programs_nest_and_differentiate(wrap):
    loss = wrap(lambda x: bg.sum(x * x))
    assert bg.grad(loss)(X).tolist() == (2 * X).tolist()
    assert bg.compile(bg.grad(loss))(X).tolist() == (2 * X).tolist()
    assert bg.compile(lambda x: loss(x) + 1)(X).item() == (X * X).sum() + 1
    assert bg.compile(lambda x: bg.compile(bg.trace(loss, X))(x))(X).item() == (X * X).sum()


def test_weights_of_a_nested_graph_do_not_meet_those_around_it(tmp_path):
    one, two = mx.ones(3), mx.full(3, 2.0)
    inner = bg.compile(lambda p: {"y": p["x"] + one})
    inner({"x": X})
    inner.save(tmp_path / "inner.safetensors")
    loaded = bg.load(tmp_path / "inner.safetensors")
    outer = bg.compile(lambda x: x * two + loaded({"x": x})["y"])
    assert outer(X).tolist() == (X * 2 + X + 1).tolist()
    graph = bg.compile(bg.trace(lambda x: x + one, X))
    assert bg.compile(lambda x: x * two + graph(x))(X).tolist() == (X * 2 + X + 1).tolist()


@pytest.mark.parametrize("view", [X[::-1], X[:, ::-1], X[..., ::-1], np.broadcast_to(X[:1], (2, 3))])
def test_numpy_views_of_any_stride(view):
    assert bg.compile(lambda x: x * 1)(view).tolist() == view.tolist()
    assert bg.relu(view).tolist() == view.tolist()
    assert bg.compile(lambda x: x + view)(X).tolist() == (X + view).tolist()


class Scaled:
    def __init__(self, scale):
        self.scale = mx.array(scale)

    @bg.compile
    def forward(self, x, power=1):
        "Scaled x."
        return x * self.scale**power

    @bg.compile(static_argnames="n")
    def times(self, x, *, n):
        return x * len(n)


def test_a_program_is_a_method_of_each_object():
    two, three = Scaled(2.0), Scaled(3.0)
    assert [m.forward(X).tolist() for m in (two, three)] == [(2 * X).tolist(), (3 * X).tolist()]
    assert three.forward(X, power=2).tolist() == (9 * X).tolist()
    assert two.times(X, n=(1, 2)).tolist() == (2 * X).tolist()
    assert two.forward.cache_info().misses == 1
    assert [p.name for p in two.forward.graph.params] == ["x"]
    assert Scaled.forward.__doc__ == "Scaled x."
    del two, three
    gc.collect()
    assert Scaled.forward._bound == {}


def test_a_method_of_an_object_without_weak_references_is_refused():
    class Slotted:
        __slots__ = ()
        forward = bg.compile(lambda self, x: x)

    with pytest.raises(InputError, match="Slotted: __slots__ must have"):
        Slotted().forward(X)


def test_a_program_looks_like_its_function():
    def step(x, *, lr=0.1):
        return x * lr

    program = bg.compile(step)
    assert (program.__name__, inspect.signature(program)) == ("step", inspect.signature(step))
    assert repr(program) == "<burngraph.Program step: not traced yet>"
    program(X)
    assert repr(program) == "<burngraph.Program step: last (f32[2,3]) -> (f32[2,3])>"


def test_a_number_that_retraces_is_named_once():
    program = bg.compile(lambda x, settings, n: x * settings["lr"] * n)
    for n in range(8):
        program(X, {"lr": 0.1 * n}, 3)
    with pytest.warns(RetraceWarning, match=r"only in settings.lr, now 0.9.* bg.asarray\(0.9\)") as caught:
        program(X, {"lr": 0.9}, 3)
    assert caught[0].filename == __file__
    program(X, {"lr": 1.0}, 3)  # a second warning would be an error


def test_shapes_and_strings_do_not_count_as_numbers():
    program = bg.compile(lambda x, mode, n: x * n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(12):
            program(np.ones(n, "float32"), "a" * n, n)
            program(np.ones(2, "float32"), "a" * n, 1)


REFUSED = {
    "no keyword 'zz'\n  it takes: x, n": lambda f: bg.compile(f, static_argnames=("zz",)),
    "a function or a bg.Graph, not 3": lambda f: bg.compile(3),
    "a function or a bg.Graph, not None": lambda f: bg.compile(None),
    "static argument 'n' is a list": lambda f: bg.compile(f, static_argnames="n")(X, n=[2]),
    "static argument 'n' is a dict": lambda f: bg.compile(f, static_argnames="n")(X, n={"a": 2}),
    "static argument 'n' is an array": lambda f: bg.compile(f, static_argnames="n")(X, n=X),
    "argument n.k is a set": lambda f: bg.compile(f)(X, n={"k": {1}}),
}


@pytest.mark.parametrize(("message", "call"), REFUSED.items(), ids=REFUSED)
def test_refused_at_once_by_name(message, call):
    with pytest.raises(InputError) as caught:
        call(lambda x, n=1: x)
    assert message in str(caught.value)


def test_exact_programs_keep_every_bit_of_op_by_op_calls():
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=s).astype("float32") for s in ((2, 3, 9, 9), (8, 3, 3, 3)))

    def model(x):
        return bg.sum(bg.relu(bg.conv2d(x, w, padding=1)), axis=(1, 2, 3))

    exact = bg.compile(model, precision="exact")
    np.testing.assert_array_equal(np.array(exact(x)), np.array(model(x)))
    assert "eliminate-layout" not in exact.explain()
    assert "eliminate-layout" in bg.compile(model, precision="fast").specialise(x).explain()
    with pytest.raises(InputError, match="no precision 'half'"):
        bg.compile(model, precision="half")


def test_results_keep_the_order_of_their_keys():
    params = {"w": np.ones(2, "float32"), "b": np.zeros(2, "float32")}
    loss = bg.compile(bg.grad(lambda p: bg.sum(p["w"]) * bg.sum(p["b"])))
    assert list(loss(params)) == list(bg.tree_map(lambda x: x, params)) == ["w", "b"]
    assert list(bg.compile(lambda x: {"z": x, "a": x})(np.ones(2, "float32"))) == ["z", "a"]


def test_a_numpy_float_is_an_array_of_rank_0():
    step = bg.compile(lambda p, rate: p - rate)
    for n in range(3):
        step(np.ones(2, "float32"), np.float32(0.1 * n))
    assert step.cache_info().misses == 1
