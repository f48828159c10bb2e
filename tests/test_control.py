"""scan, cond, while_loop, fori_loop: values and derivatives against unrolled Python, nesting, sources, errors."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, LoweringError, ParseError, RefusedError, ShapeError
from burngraph.ir.interpret import run
from burngraph.ir.text import parse
from burngraph.passes.linearize import linearize
from burngraph.passes.transpose import value_and_gradient, vjp

RNG = np.random.default_rng(0)
W = mx.array(RNG.normal(size=(3, 3)).astype(np.float32) * 0.5)
H = mx.array(RNG.normal(size=(3,)).astype(np.float32))
XS = mx.array(RNG.normal(size=(4, 3)).astype(np.float32))


def close(found, want, tolerance=1e-5):
    found, want = bg.frontend.trees.flatten(found)[0], bg.frontend.trees.flatten(want)[0]
    assert len(found) == len(want)
    for a, b in zip(found, want, strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b), rtol=tolerance, atol=tolerance)


def unrolled(f, init, xs=None, length=None, reverse=False):
    """jax.lax.scan's definition, on arrays."""
    leaves = bg.frontend.trees.flatten(xs)[0]
    n = leaves[0].shape[0] if leaves else length
    ys = [None] * n
    for i in range(n)[:: -1 if reverse else 1]:
        init, ys[i] = f(init, bg.frontend.trees.map_leaves(lambda x, i=i: x[i], xs))
    return init, bg.frontend.trees.map_leaves(lambda *column: bg.stack(list(column)), *ys)


def cell(w):
    def step(carry, x):
        h = bg.tanh(x["a"] @ w + carry["h"] * x["b"])
        return {"h": h, "n": carry["n"] + 1}, (h * h, [x["b"] - h])

    return step


def looped(scan, w, h, a, b, **options):
    carry, ys = scan(cell(w), {"h": h, "n": mx.array(0)}, {"a": a, "b": b}, **options)
    return carry, ys


def loss(scan, **options):
    def fn(w, h, a, b):
        carry, (squares, (rest,)) = looped(scan, w, h, a, b, **options)
        return bg.sum(squares) + bg.sum(bg.sin(rest)) + bg.sum(carry["h"] * carry["h"])

    return fn


ARGS = (W, H, XS, XS * 0.5)
TANGENTS = tuple(mx.array(RNG.normal(size=x.shape).astype(np.float32)) for x in ARGS)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_is_the_unrolled_loop(reverse):
    want = looped(unrolled, *ARGS, reverse=reverse)
    close(looped(bg.scan, *ARGS, reverse=reverse), want)
    for target in ("cpu", "metal"):
        program = bg.compile(lambda *args: looped(bg.scan, *args, reverse=reverse), target=target, verify=True)
        close(program(*ARGS), want)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_derivatives_are_the_unrolled_loop_s(reverse):
    f, g = loss(bg.scan, reverse=reverse), loss(unrolled, reverse=reverse)
    every = (0, 1, 2, 3)
    want = bg.value_and_grad(g, every)(*ARGS)
    close(bg.value_and_grad(f, every)(*ARGS), want)
    close(bg.compile(bg.value_and_grad(f, every), verify=True)(*ARGS), want)
    close(bg.jvp(f, ARGS, TANGENTS), bg.jvp(g, ARGS, TANGENTS))


def second(fn):
    """The gradient of a directional derivative of a gradient: three derivatives of `fn`."""

    def along(*args):
        grads = bg.grad(fn, (0, 1, 2, 3))(*args)
        return sum((bg.sum(gradient * t) for gradient, t in zip(grads, TANGENTS, strict=True)), 0.0)

    return along


def test_higher_derivatives():
    f, g = second(loss(bg.scan)), second(loss(unrolled))
    want = bg.grad(g, (0, 1, 2, 3))(*ARGS)
    close(bg.grad(f, (0, 1, 2, 3))(*ARGS), want, 1e-4)
    close(bg.compile(bg.grad(f, (0, 1, 2, 3)))(*ARGS), want, 1e-4)
    close(bg.jvp(f, ARGS, TANGENTS), bg.jvp(g, ARGS, TANGENTS), 1e-4)


def test_one_evaluation_and_a_loop_however_long(monkeypatch):
    program = bg.compile(lambda h, xs: bg.scan(lambda h, x: (bg.sin(h + x), h), h, xs))
    xs = mx.ones((3000,))
    program(mx.array(0.0), xs)
    calls = []
    monkeypatch.setattr(mx, "eval", lambda *a: calls.append(a))
    program(mx.array(0.0), xs)
    lazy = program.lazy(mx.array(0.0), xs)
    assert len(calls) == 1
    monkeypatch.undo()
    mx.eval(lazy)
    assert "for i in range(3000):" in program.source
    assert "item()" not in program.source
    assert len(program.source.splitlines()) < 40
    assert program.source == program.specialise(mx.array(0.0), xs).source
    h = 0.0
    for _ in range(3000):
        h = np.sin(h + 1.0)
    assert lazy[0].item() == pytest.approx(h, rel=1e-4)


@pytest.mark.parametrize("compiled", [False, True])
def test_no_steps_at_all(compiled):
    f = lambda h, xs: bg.scan(lambda h, x: (h + x, {"y": h[:2], "z": None}), h, xs)  # noqa: E731
    h, ys = (bg.compile(f, verify=True) if compiled else f)(H, mx.zeros((0, 3)))
    close(h, H)
    assert ys["y"].shape == (0, 2) and ys["z"] is None
    close(bg.grad(lambda h: bg.sum(f(h, mx.zeros((0, 3)))[0] * H))(H), H)


def test_length_without_xs_and_a_number_as_carry():
    carry, ys = bg.scan(lambda c, x: (c * 2.0, c), 1.0, length=4)
    assert (carry.item(), ys.tolist()) == (16.0, [1.0, 2.0, 4.0, 8.0])


def test_captured_arrays_are_weights_of_the_outer_graph():
    """So that `prepare` binds them; and what a step makes of them alone is made there, once."""

    def f(h, xs):
        inner = lambda h, x: (bg.matmul(h, bg.exp(W)) + x, None)  # noqa: E731
        return bg.scan(lambda h, x: (bg.scan(inner, h, xs)[0] + x, None), h, xs)[0]

    graph = bg.trace(f, H, XS)
    assert [node.op.name for node in graph.nodes] == ["weight", "scan"]
    program = bg.compile(f, verify=True)
    close(program(H, XS), f(H, XS))
    prepare = program.source[: program.source.index("def run")]
    assert "weights['captured.0']" in prepare and "mx.exp" in prepare
    assert "mx.exp" not in program.source[len(prepare) :]


def test_text_reads_back():
    step = bg.grad(loss(bg.scan, reverse=True), (0, 1))
    graph = bg.trace(lambda *a: (step(*a), bg.while_loop(lambda c: bg.all(c < 9.0), lambda c: c * 2.0, bg.exp(a[1]))), *ARGS)
    assert "reverse=true" in str(graph) and "linear=[" in str(graph) and "while(" in str(graph)
    assert parse(str(graph)) == graph
    program = bg.compile(graph)
    assert parse(str(program.ir())) == program.ir()


def collatz(n):
    odd = lambda n: 3 * n + 1  # noqa: E731
    return bg.while_loop(
        lambda c: c["n"] > 1,
        lambda c: {"n": bg.cond(c["n"] % 2 == 0, lambda n: n // 2, odd, c["n"]), "steps": c["steps"] + 1},
        {"n": n, "steps": 0},
    )["steps"]


def test_while_and_cond_look_at_their_predicates():
    program = bg.compile(collatz, verify=True)
    assert [program(mx.array(n)).item() for n in (1, 6, 27)] == [0, 8, 111] == [collatz(mx.array(n)).item() for n in (1, 6, 27)]
    assert "while (" in program.source and program.source.count(".item():") == 2
    first, second = program.explain().splitlines()[-2:]
    assert "while at " in first and first.endswith("evaluates its condition: one sync per step")
    assert "cond at " in second and second.endswith("evaluates its predicate: one sync per step")


def test_explain_counts_a_cond_once_a_call():
    program = bg.compile(lambda x: bg.cond(bg.sum(x) > 0, bg.sin, bg.cos, x))
    close(
        (program(H), program(-H)),
        (bg.where(bg.sum(H) > 0, bg.sin(H), bg.cos(H)), bg.where(bg.sum(-H) > 0, bg.sin(-H), bg.cos(-H))),
    )
    assert program.explain().endswith("evaluates its predicate: one sync per call")


def test_a_python_predicate_is_static():
    assert [node.op.name for node in bg.trace(lambda x: bg.cond(True, bg.sin, bg.cos, x), H).nodes] == ["sin"]


def test_cond_runs_one_branch_and_closes_over_both_kinds():
    def f(x, y):
        return bg.cond(bg.sum(x) > 0, lambda x: {"a": x @ W, "b": x}, lambda x: {"a": y, "b": bg.log(x) * 0.0 + y}, x)

    one, minus = mx.ones((3,)), -mx.ones((3,))
    program = bg.compile(f, verify=True)
    close(program(one, H), {"a": one @ W, "b": one})
    assert np.isnan(np.array(program(minus, H)["b"])).all()
    close(program(minus, H)["a"], H)
    close(f(one, H), program(one, H))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_derivatives_through_cond_in_scan_in_cond(sign):
    def f(scan, cond):
        def step(h, x):
            h = cond(bg.sum(h * x) > 0.1, lambda h: bg.tanh(h) * x, lambda h: bg.sin(h @ W) + bg.sin(x), h)
            return h, h * h

        def both(h, xs):
            h, ys = scan(step, h, xs)
            return bg.sum(ys) + bg.sum(h)

        return lambda h, xs: cond(sign * bg.sum(h * h) > 0, both, lambda h, xs: bg.sum(bg.sin(h) * xs[0]), h, xs)

    def selected(pred, yes, no, *operands):
        return bg.where(pred, yes(*operands), no(*operands))

    f, g = f(bg.scan, bg.cond), f(unrolled, selected)
    want = bg.value_and_grad(g, (0, 1))(H, XS)
    close(bg.value_and_grad(f, (0, 1))(H, XS), want)
    close(bg.compile(bg.value_and_grad(f, (0, 1)), verify=True)(H, XS), want)
    second = lambda f: bg.grad(lambda h, xs: bg.sum(bg.sin(bg.grad(f)(h, xs))), (0, 1))  # noqa: E731
    close(second(f)(H, XS), second(g)(H, XS), 1e-4)


def test_gradient_of_a_captured_value_in_nested_scans():
    def f(scan):
        def outer(w):
            inner = lambda h, x: (bg.tanh(bg.matmul(h, w) + x), None)  # noqa: E731
            step = lambda h, x: (scan(inner, h * x, XS)[0], bg.sum(w[0] * h))  # noqa: E731
            h, ys = scan(step, H, XS)
            return bg.sum(h) + bg.sum(ys * ys)

        return outer

    close(bg.grad(f(bg.scan))(W), bg.grad(f(unrolled))(W))


def test_gradients_are_central_differences_in_f64():
    graph = parse(
        """graph @f(%h: f64[3], %xs: f64[4,3], %w: f64[3]) -> f64[] {
      %0, %1: (f64[3], f64[4,3]) = scan(%w, %h, %xs, n_constants=1, n_carry=1, length=4,
          body=graph @s(%w: f64[3], %h: f64[3], %x: f64[3]) -> (f64[3], f64[3]) {
        %0: f64[3] = mul(%h, %w)
        %1: f64[3] = add(%0, %x)
        %2: f64[3] = sin(%1)
        %3: f64[] = sum(%2, axes=[0])
        %4: f64[] = splat(value=0.0)
        %5: bool[] = less(%3, %4)
        %6: f64[3] = cond(%5, %2, %x, on_true=graph @a(%2: f64[3], %x: f64[3]) -> f64[3] {
          %0: f64[3] = mul(%2, %x)
          return %0
        }, on_false=graph @b(%2: f64[3], %x: f64[3]) -> f64[3] {
          %0: f64[3] = exp(%2)
          return %0
        })
        return %6, %2
      })
      %2: f64[4,3] = mul(%1, %1)
      %3: f64[] = sum(%2, axes=[0,1])
      %4: f64[] = sum(%0, axes=[0])
      %5: f64[] = add(%3, %4)
      return %5
    }"""
    )
    rng = np.random.default_rng(1)
    at = [rng.normal(size=p.shape) for p in graph.params]
    directions = [rng.normal(size=p.shape) for p in graph.params]
    first = value_and_gradient(graph, [0, 1, 2])
    for order, g in enumerate((graph, first)):
        step = 1e-5
        ahead, behind = (run(g, *(a + s * step * d for a, d in zip(at, directions, strict=True))) for s in (1, -1))
        want = [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
        found = run(linearize(g, [0, 1, 2]), *at, *directions)[len(want) :]
        for a, b in zip(found, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
        bars = [rng.normal(size=r.shape) for r in g.results]
        back = run(vjp(g, [0, 1, 2]), *at, *bars)[len(want) :]
        left = sum(np.sum(a * b) for a, b in zip(found, bars, strict=True))
        assert left == pytest.approx(sum(np.sum(a * b) for a, b in zip(back, directions, strict=True)), rel=1e-9), order


@pytest.mark.parametrize("in_axes", [(0, None), (None, 1), (0, 0)])
def test_vmap_of_scan_and_of_its_gradient(in_axes):
    f = lambda h, xs: bg.scan(lambda h, x: (bg.tanh(bg.matmul(h, W) + x), h * x), h, xs)  # noqa: E731
    total = lambda h, xs: bg.sum(f(h, xs)[1]) + bg.sum(f(h, xs)[0])  # noqa: E731
    args = [a if axis is None else mx.stack([a, a * 2, a - 1], axis) for a, axis in zip((H, XS), in_axes, strict=True)]
    rows = [[a if axis is None else mx.take(a, i, axis) for a, axis in zip(args, in_axes, strict=True)] for i in range(3)]
    for each in (f, bg.grad(total, (0, 1))):
        want = [mx.stack(column) for column in zip(*(each(*row) for row in rows), strict=True)]
        close(bg.vmap(each, in_axes)(*args), tuple(want))
        close(bg.compile(bg.vmap(each, in_axes), verify=True)(*args), tuple(want))
    whole = lambda one: lambda h, xs: bg.sum(bg.sin(bg.stack([one(*row) for row in each_row(h, xs, in_axes)])))  # noqa: E731
    mapped = lambda h, xs: bg.sum(bg.sin(bg.vmap(total, in_axes)(h, xs)))  # noqa: E731
    close(bg.grad(mapped, (0, 1))(*args), bg.grad(whole(total), (0, 1))(*args))


def each_row(h, xs, in_axes):
    taken = [
        [a if axis is None else bg.take(a, mx.array(i), axis) for i in range(3)]
        for a, axis in zip((h, xs), in_axes, strict=True)
    ]
    return zip(*taken, strict=True)


def test_vmap_of_while_runs_until_all_are_done():
    assert bg.vmap(collatz)(mx.array([1, 6, 27, 7])).tolist() == [0, 8, 111, 16]
    bounded = lambda n, x: bg.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] * x), (0, x))[1]  # noqa: E731
    x = mx.array([2.0, 3.0])
    close(bg.vmap(bounded, (None, 0))(mx.array(2), x), x * x * x)
    program = bg.compile(bg.vmap(bounded, (0, None)), verify=True)
    close(program(mx.array([0, 3]), x), mx.stack([x, x * x * x * x]))


def test_vmap_over_a_predicate_selects():
    f = lambda p, x: bg.cond(p, bg.sin, bg.cos, x)  # noqa: E731
    p = mx.array([True, False])
    close(bg.vmap(f, (0, None))(p, H), mx.stack([mx.sin(H), mx.cos(H)]))
    program = bg.compile(bg.vmap(f, (0, None)))
    close(program(p, H), mx.stack([mx.sin(H), mx.cos(H)]))
    assert "item()" not in program.source
    shared = bg.compile(bg.vmap(f, (None, 0)))
    close(shared(p[0], mx.stack([H, XS[0]])), mx.stack([mx.sin(H), mx.sin(XS[0])]))
    assert shared.source.count("item()") == 1


def test_second_derivatives_of_a_batched_cond_do_not_divide_by_what_the_other_branch_kept():
    f = lambda x: bg.cond(x > 0, lambda x: x * x / (2 + x * x), lambda x: x * x / (x - 1), x)  # noqa: E731
    g = lambda x: bg.where(x > 0, x * x / (2 + x * x), x * x / (x - 1))  # noqa: E731
    xs = mx.array([-1.0, 0.5, 2.0])
    for run_it in (lambda f: f, bg.compile):
        for twice in (
            lambda f: bg.grad(lambda x: bg.sum(bg.vmap(bg.grad(f))(x))),
            lambda f: bg.grad(lambda x: bg.sum(bg.vmap(lambda x: bg.vjp(f, x)[1](x)[0])(x))),
            lambda f: bg.vmap(bg.grad(bg.grad(f))),
        ):
            close(run_it(twice(f))(xs), twice(g)(xs))
    graph = bg.trace(bg.grad(f), xs[0])
    assert "only_true=[1,2]" in str(graph) and parse(str(graph)) == graph
    with pytest.raises(ParseError, match=r"only_true=\[7\] and only_false=.* are no results"):
        parse(str(graph).replace("only_true=[1,2]", "only_true=[7]"))


def test_loops_nest_as_deep_as_python_takes_them():
    def nested(x, depth):
        return bg.scan(lambda c, _: (nested(c, depth - 1), None), x, length=1)[0] if depth else x * 2

    assert bg.compile(lambda x: nested(x, 20))(H).tolist() == (H * 2).tolist()
    for depth in (21, 110):
        with pytest.raises(LoweringError, match="at most 20 loops and branches inside each other"):
            bg.compile(lambda x, depth=depth: nested(x, depth))(H)


def test_fori_loop():
    f = lambda x: bg.fori_loop(2, 5, lambda i, c: c * x + i, x)  # noqa: E731
    g = lambda x: ((x * x + 2) * x + 3) * x + 4  # noqa: E731
    x = mx.array(1.5)
    close((f(x), bg.grad(f)(x), bg.grad(bg.grad(f))(x)), (g(x), bg.grad(g)(x), bg.grad(bg.grad(g))(x)))
    assert bg.fori_loop(5, 2, lambda i, c: c * 2, mx.array(3)).item() == 3
    close(bg.grad(lambda x: bg.fori_loop(np.int64(2), np.int64(5), lambda i, c: c * x + i, x))(x), bg.grad(g)(x))
    traced = bg.compile(lambda n, x: bg.fori_loop(2, n, lambda i, c: c * x + i, x), verify=True)
    close(traced(mx.array(5), x), g(x))
    close(bg.jvp(lambda x: bg.fori_loop(2, mx.array(5), lambda i, c: c * x + i, x), (x,), (x,))[1], bg.grad(g)(x) * x)


def test_no_layout_change_inside_a_loop_of_nchw_code():
    image, first, kernel = (
        mx.array(RNG.normal(size=s).astype(np.float32) * 0.2) for s in ((2, 3, 5, 5), (4, 3, 3, 3), (4, 4, 3, 3))
    )

    def f(first, kernel, image):
        step = lambda h, _: (bg.tanh(bg.conv2d(h, kernel, padding=1) + h), None)  # noqa: E731
        h, _ = bg.scan(step, bg.relu(bg.conv2d(image, first, padding=1)), length=5)
        return bg.sum(bg.conv2d(h, kernel, padding=1) ** 2)

    program = bg.compile(bg.value_and_grad(f, (0, 1)), verify=True)
    close(program(first, kernel, image), bg.value_and_grad(f, (0, 1))(first, kernel, image), 1e-4)
    assert program.certificate().interior == ()
    assert "inside, per step" not in program.explain()
    assert "inside, per step" in bg.compile(f, passes=["inline-calls"]).specialise(first, kernel, image).explain()


def test_checkpoint_inside_and_around_a_scan():
    step = bg.checkpoint(lambda h, x: bg.tanh(bg.matmul(h, W) + bg.sin(x)))
    f = lambda scan: lambda h, xs: bg.sum(scan(lambda h, x: (step(h, x), None), h, xs)[0])  # noqa: E731
    want = bg.grad(f(unrolled), (0, 1))(H, XS)
    close(bg.grad(f(bg.scan), (0, 1))(H, XS), want)
    close(bg.compile(bg.grad(bg.checkpoint(f(bg.scan)), (0, 1)), verify=True)(H, XS), want)


def test_jvp_of_a_while_in_a_scan():
    def f(loop):
        return lambda x, xs: bg.scan(lambda h, x: (loop(h + x) * 0.1, h), x, xs)[0]

    doubled = f(lambda h: bg.while_loop(lambda h: bg.sum(h) < 10.0, lambda h: h * h + 1.0, h))

    def python(h):
        for _ in range(4):
            h = bg.where(bg.sum(h) < 10.0, h * h + 1.0, h)
        return h

    close(bg.jvp(doubled, (H, XS), (XS[0], XS * 2)), bg.jvp(f(python), (H, XS), (XS[0], XS * 2)), 1e-4)


def test_reverse_through_while_says_the_way_out():
    with pytest.raises(RefusedError) as caught:
        bg.grad(lambda x: bg.while_loop(lambda x: x < 9.0, lambda x: x * x, x))(3.0)
    text = str(caught.value)
    assert text.startswith("while: no reverse derivative\n  reason: the number of steps is not known")
    assert "test_control.py:" in text and "use fori_loop with Python ints as bounds, or scan" in text


ERRORS = [
    (
        lambda: bg.scan(lambda c, x: ({"h": c["h"].astype("float16")}, x), {"h": H}, XS), DTypeError,
        "scan: carry.h is f32[3] before a step and f16[3] after it\n"
        "  start from float16, or convert the new carry with astype('float32')",
    ),
    (lambda: bg.scan(lambda c, x: (c[:2], x), H, XS), ShapeError, "scan: the carry is f32[3] before a step and f32[2]"),
    (lambda: bg.scan(lambda c, x: ((c, c), x), H, XS), ShapeError, "takes: *\n  gives: (*, *)"),
    (lambda: bg.scan(lambda c, x: c, H, XS), InputError, "must give a pair (carry, y)"),
    (lambda: bg.scan(lambda c, x: (c, None), H, {"a": XS, "b": H}), ShapeError, "xs.a: f32[4,3]\n  xs.b: f32[3]"),
    (lambda: bg.scan(lambda c, x: (c, None), H), InputError, "pass xs with arrays, or length"),
    (lambda: bg.scan(lambda c, x: (c, None), H, XS, length=3), ShapeError, "length is 3, but the arrays in xs have another"),
    (lambda: bg.scan(lambda c, x: (c, None), H, mx.array(1.0)), ShapeError, "has no axis to take slices along"),
    (lambda: bg.cond(H > 0, bg.sin, bg.cos, H), ShapeError, "cond: the predicate is bool[3], must be a scalar"),
    (lambda: bg.cond(bg.sum(H), bg.sin, bg.cos, H), DTypeError, "cond: the predicate is f32[], must be bool"),
    (lambda: bg.cond(1, bg.sin, bg.cos, H), DTypeError, "cond: the predicate is int, must be bool"),
    (
        lambda: bg.cond(mx.array(True), lambda x: {"a": x}, lambda x: {"a": x[:1]}, H), ShapeError,
        "at a of the result: f32[3] from true_fn, f32[1] from false_fn",
    ),
    (lambda: bg.cond(mx.array(True), lambda x: (x,), lambda x: x, H), ShapeError, "true_fn: (*,)\n  false_fn: *"),
    (lambda: bg.while_loop(lambda c: c < 1, lambda c: c, H), ShapeError, "while_loop: the condition is (bool[3])"),
    (lambda: bg.while_loop(lambda c: c, lambda c: c, 1.0), DTypeError, "while_loop: the condition is f32[], must be bool"),
    (lambda: bg.while_loop(lambda c: c < 1, lambda c: c * 2.5, 1), DTypeError, "while_loop: the carry is i32[] before a step"),
    (lambda: bg.fori_loop(0, 1.5, lambda i, c: c, H), DTypeError, "fori_loop: a bound is 1.5, must be an integer"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS)
def test_error(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
    assert "test_control.py:" in str(caught.value)


@pytest.mark.parametrize("update", ["set", "add", "multiply", "divide", "maximum"])
def test_updates_with_constants_differentiate_inside_a_scan(update):
    """What is zero whatever comes in stays known to be zero when the step is split into values and tangents."""
    places = np.array([0, 2, 0], np.int32)

    def looped(x, c, loop):
        return bg.sum(loop(lambda h, s: (getattr(h.at[places], update)(c * s), None), x, mx.array([0.5, 2.0]))[0] ** 2)

    def unrolled(step, x, xs):
        for i in range(2):
            x, _ = step(x, xs[i])
        return x, None

    x = mx.array([1.0, 2.0, 3.0])
    for argument in (0, 1):
        got, want = (bg.grad(lambda x, c, f=f: looped(x, c, f), argument)(x, mx.array(1.5)) for f in (bg.scan, unrolled))
        np.testing.assert_allclose(np.array(got), np.array(want), rtol=1e-5)
    pulled = bg.vjp(lambda x: getattr(x.at[places], update)(1.5), x)[1](mx.ones(3))[0]
    np.testing.assert_allclose(pulled, bg.grad(lambda x: bg.sum(getattr(x.at[places], update)(1.5)))(x), rtol=1e-6)
