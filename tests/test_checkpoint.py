"""bg.checkpoint: values and gradients of the plain function, and nothing but its arguments kept for the backward pass."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg

RNG = np.random.default_rng(0)
X, W = (mx.array(RNG.normal(size=s).astype(np.float32)) for s in ((3, 4), (4, 4)))


def body(x, w):
    return bg.tanh(bg.exp(x @ w) * 0.1)


def loss_of(block):
    return lambda x, w: bg.sum(bg.square(block(block(x, w), w)))


plain, kept = loss_of(body), loss_of(bg.checkpoint(body))


@pytest.mark.parametrize("run", [lambda f: f, bg.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize(
    "transform",
    [
        lambda f: bg.value_and_grad(f, (0, 1)),
        lambda f: bg.jacfwd(bg.grad(f, 1), 1),
        lambda f: lambda x, w: bg.jvp(f, (x, w), (w[:3], w)),
        lambda f: lambda x, w: bg.vmap(bg.grad(lambda x, w: f(x[None], w), 1), (0, None))(x, w),
        lambda f: lambda x, w: bg.vjp(f, x, w)[1](mx.array(2.0)),
        lambda f: bg.grad(lambda x, w: bg.sum(bg.grad(f)(x, w) * x)),
    ],
    ids=["value_and_grad", "hessian", "jvp", "vmap of grad", "vjp", "grad of grad"],
)
def test_checkpoint_changes_no_value(transform, run):
    want, got = (bg.compile(transform(plain))(X, W), run(transform(kept))(X, W))
    for a, b in zip(flat(want), flat(got), strict=True):
        np.testing.assert_allclose(np.array(b), np.array(a), rtol=2e-4, atol=1e-5)


def flat(tree):
    return [leaf for item in tree for leaf in flat(item)] if isinstance(tree, tuple) else [tree]


def test_the_backward_pass_reads_no_interior_value_of_the_forward():
    block = bg.checkpoint(lambda x: bg.sin(bg.exp(bg.cos(x))))
    program = bg.compile(bg.value_and_grad(lambda x: bg.sum(block(x) * block(x)))).specialise(X)
    graph = program.ir()
    names = [node.op.name for node in graph.nodes]
    assert [names.count(op) for op in ("exp", "after")] == [2, 1]
    waits = names.index("after")
    forward = {v for node in graph.nodes[:waits] if node.op.name in ("cos", "exp") for v in node.results}
    assert len(forward) == 2
    assert not any(v in forward for node in graph.nodes[waits:] for v in node.operands)
    assert program.source.count("mx.exp(") == 2
    assert program.source.count("mx.depends(x, [") == 1


def test_without_a_derivative_nothing_is_left_of_it():
    program = bg.compile(bg.checkpoint(body)).specialise(X, W)
    assert program.source == bg.compile(body).specialise(X, W).source


def test_forward_derivative_computes_the_body_once():
    program = bg.compile(lambda x: bg.jvp(bg.checkpoint(bg.exp), (x,), (x,))).specialise(X)
    assert program.source.count("mx.exp(") == 1


def test_a_closed_over_value_counts_as_an_argument():
    def loss(wrap):
        return lambda w: bg.sum(wrap(lambda x: bg.tanh(bg.matmul(x, w)))(X))

    np.testing.assert_allclose(np.array(bg.grad(loss(bg.checkpoint))(W)), np.array(bg.grad(loss(lambda f: f))(W)), rtol=1e-5)


def test_text_holds_the_nested_graph():
    graph = bg.trace(bg.value_and_grad(kept), X, W)
    assert bg.parse(str(graph)) == graph
    np.testing.assert_allclose(
        np.array(bg.compile(bg.parse(str(graph)))(X, W)[1]), np.array(bg.grad(plain)(X, W)), rtol=1e-4, atol=1e-6
    )


def test_a_convolution_block_gets_no_more_layout_changes():
    def loss(block, w, x):
        return bg.sum(bg.square(block(block(x, w), w)))

    block = lambda x, w: bg.max_pool2d(bg.relu(bg.conv2d(x, w, padding=1)), 2)  # noqa: E731
    x, w = bg.TensorSpec((2, 3, 8, 8)), bg.TensorSpec((3, 3, 3, 3))
    counts = []
    for f in (block, bg.checkpoint(block)):
        graph = bg.trace(bg.value_and_grad(lambda w, x, f=f: loss(f, w, x)), w, x)
        counts.append(sum(node.op.name == "permute" for node in bg.compile(graph).ir().nodes))
    assert counts[1] == counts[0]


def test_peak_memory_is_lower():
    def loss(wrap):
        def block(x):
            for _ in range(6):
                x = bg.sin(bg.exp(x * 0.1))
            return x

        return lambda x: bg.sum(wrap(block)(wrap(block)(wrap(block)(wrap(block)(x)))))

    x, peaks = mx.ones((128, 128)), []
    for wrap in (lambda f: f, bg.checkpoint):
        program = bg.compile(bg.grad(loss(wrap)))
        mx.eval(x, program(x))
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        mx.eval(program(x))
        peaks.append((mx.get_peak_memory() - before) / x.nbytes)
    assert peaks[0] > 32  # of 4 blocks of 12 values, three are kept whole
    assert peaks[1] < 24  # 4 inputs, and one block at a time
