"""checks=True of batched branches and loops: an index counts for the examples that use it, and for no other."""

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import IndexRangeError, ParseError
from burngraph.frontend.trees import flatten
from burngraph.ir.text import parse

X = np.linspace(1, 2, 12).astype("float32").reshape(4, 3)
Y = np.array([0, 3, 2, 5], "int32")


def one_branch(x, i, j):
    return bg.cond(i < 4, lambda: x[i, 0], lambda: x[i - 4, 1] * x[j, 0])


def branch_in_branch(x, i, j):
    inner = lambda: bg.cond(j < 3, lambda: x[i, j], lambda: bg.take(x.reshape((12,)), 4 * j - i))  # noqa: E731
    return bg.cond(i < 4, inner, lambda: bg.sum(x[j]))


def data_as_index(x, i, j):
    return bg.cond(j > 1, lambda: x[bg.take(Y, i), 0], lambda: x[bg.take(Y, i - 2), 1])


def index_of_a_branch(x, i, j):
    """What a branch reads is an index outside."""
    return x[bg.cond(i < 4, lambda: bg.take(Y, i), lambda: j), 0]


def twice(x, i, j):
    """The same index where it is used by some examples, and where it is by all."""
    k = i - 4
    return bg.cond(j > 1, lambda: x[k, 0], lambda: x[j, 0]) + bg.cond(i < 4, lambda: x[k, 0], lambda: x[j, 1]) + x[k, 1]


def writing(x, i, j):
    return bg.cond(i < 4, lambda: bg.sum(x.at[i].set(x[j] * 2)), lambda: bg.sum(x.at[j, bg.stack([i - 5, j])].add(3.0) ** 2))


def loss(x, i, j):
    return bg.cond(
        j > 1, lambda: bg.cross_entropy(x, bg.stack([i, i, j, j])), lambda: bg.nll_loss(x, bg.stack([j, j, i - 4, j]))
    )


def scan_in_branch(x, i, j):
    total = lambda c, k: (c + x[k, 0], x[k, 1] * c)  # noqa: E731
    return bg.cond(j > 1, lambda: bg.scan(total, 0.0, bg.stack([i, j, i - j]))[0], lambda: x[i - 4, 0])


def branch_in_scan(x, i, j):
    step = lambda c, k: (c + 1, bg.cond(k < 3, lambda: bg.sin(x[k + c, 1]), lambda: x[k - j, 0] ** 2))  # noqa: E731
    return bg.sum(bg.scan(step, 0, bg.stack([i, j, i + j]))[1])


def remade(x, i, j):
    return bg.cond(i < 4, lambda: bg.checkpoint(lambda x: bg.sin(x[i, j]) * x[j, 0])(x), lambda: x[i - 4, 0])


def own_reverse(x, i, j):
    fn = bg.custom_vjp(lambda x: x[i, 0] * x[j, 1])
    fn.defvjp(lambda x: (fn(x), x), lambda x, bar: (bg.zeros_like(x).at[i, 0].add(x[j, 1] * bar).at[j, 1].add(x[i, 0] * bar),))
    return bg.cond(i < 4, lambda: fn(x), lambda: x[0, 0])


def own_forward(x, i, j):
    fn = bg.custom_jvp(lambda x: x[i, 0] * x[j, 1])
    fn.defjvp(lambda p, t: (p[0][i, 0] * p[0][j, 1], t[0][i, 0] * p[0][j, 1] + p[0][i, 0] * t[0][j, 1]))
    return bg.cond(i < 4, lambda: fn(x), lambda: x[0, 0])


def walk(x, i, j):
    return bg.while_loop(lambda c: c[0] < i, lambda c: (c[0] + 1, c[1] + x[c[0], 0] * x[0, j]), (0, 0.0))[1]


def seek(x, i, j):
    """cond reads; where an example ends depends on that."""
    return bg.while_loop(lambda c: x[c[0], 0] * c[1] < 2, lambda c: (c[0] + 1, c[1] + 1), (i, 0.0))[1]


def branch_in_loop(x, i, j):
    body = lambda k, c: bg.cond(k > 1, lambda: c * x[k - j, 0], lambda: c + x[k + j, 1])  # noqa: E731
    return bg.fori_loop(0, i, body, 1.0)


def loop_in_loop(x, i, j):
    return bg.fori_loop(0, i, lambda k, c: bg.fori_loop(0, k + j, lambda n, d: d + x[n, 0], c), 0.0)


def loop_in_branch(x, i, j):
    return bg.cond(j > 1, lambda: walk(x, i, j), lambda: x[i, 0])


def trained_in_branch(x, i, j):
    """A derivative inside of a branch keeps indices of a batched branch inside of that."""
    pairs = lambda: (bg.stack([i, bg.full_like(i, 6)]), bg.stack([j, bg.full_like(i, 2)]))  # noqa: E731
    return bg.cond(j > 1, lambda: bg.sum(stepwise(writing, x, *pairs())[1]), lambda: x[i - 4, 0])


BRANCHES = (
    one_branch, branch_in_branch, data_as_index, index_of_a_branch, twice, writing, loss, scan_in_branch, branch_in_scan,
    remade, own_reverse, own_forward,
)  # fmt: skip
LOOPS = (walk, seek, branch_in_loop, loop_in_loop, loop_in_branch)
PAIRS = list(product(range(-1, 9), range(5)))


def forward(f, x, i, j):
    return bg.vmap(f, (None, 0, 0))(x, i, j)


def along(f, x, i, j):
    return bg.vmap(lambda x, i, j: bg.jvp(lambda x: f(x, i, j), (x,), (x,)), (None, 0, 0))(x, i, j)


def gradients(f, x, i, j):
    return bg.vmap(bg.value_and_grad(f), (None, 0, 0))(x, i, j)


def backwards(f, x, i, j):
    return bg.value_and_grad(lambda x: bg.sum(bg.vmap(f, (None, 0, 0))(x, i, j)))(x)


def stepwise(f, x, i, j):
    """A scan keeps what going back needs of the indices."""
    each = lambda x: bg.stack([x] * i.shape[0])  # noqa: E731
    step = lambda x: lambda c, k: (c, bg.vmap(f)(each(x), k[0], k[1]))  # noqa: E731
    return bg.value_and_grad(lambda x: bg.sum(bg.scan(step(x), 0.0, bg.stack([bg.stack([i, j])] * 2))[1]))(x)


def behind(f, x, i, j):
    """So does a branch."""
    batch = lambda x: bg.sum(bg.vmap(f)(bg.stack([x] * i.shape[0]), i, j))  # noqa: E731
    return bg.value_and_grad(lambda x: bg.cond(x[0, 0] > 0, lambda: batch(x), lambda: 0.0))(x)


def nested(f, x, i, j):
    """Of the outer vmap or of the inner one all examples have the same indices."""
    xs = bg.stack([x, 2 * x])
    outer = bg.vmap(lambda x: bg.vmap(f, (None, 0, 0))(x, i, j))(xs)
    return outer, bg.vmap(lambda i, j: bg.vmap(lambda x: f(x, i, j))(xs))(i, j)


def good_of(one: Any) -> list[tuple[int, int]]:
    found = []
    for pair in PAIRS:
        try:
            one(X, *(np.asarray(n, "int32") for n in pair))
        except IndexRangeError:
            continue
        found.append(pair)
    return found


def columns(pairs: list[tuple[int, int]]) -> list[Any]:
    return [np.array(column, "int32") for column in zip(*pairs, strict=True)]


WAYS = [(f, way) for f in BRANCHES for way in (forward, backwards, stepwise, nested)]
WAYS += [(f, way) for f in LOOPS for way in (forward, along, nested)]
WAYS += [(f, way) for f in (branch_in_branch, writing, scan_in_branch, remade, own_reverse) for way in (gradients, behind)]
WAYS += [(f, along) for f in (branch_in_branch, remade, own_forward)] + [(trained_in_branch, forward)]


@pytest.mark.parametrize(("f", "way"), WAYS, ids=lambda f: f.__name__)
def test_a_batch_raises_if_one_of_its_examples_alone_does(f: Any, way: Any) -> None:
    good = good_of(bg.compile(f, checks=True))
    bad = [pair for pair in PAIRS if pair not in good]
    batched = partial(way, f)
    program, plain = bg.compile(batched, checks=True), bg.compile(batched)
    for found, want in zip(*(flatten(run(X, *columns(good)))[0] for run in (program, plain)), strict=True):
        assert np.array(found).tobytes() == np.array(want).tobytes()
    assert len(good) >= 6 and len(bad) >= 3
    for n, pair in enumerate(bad):
        at = n % len(good)
        with pytest.raises(IndexRangeError):
            program(X, *columns([*good[:at], pair, *good[at + 1 :]]))


def test_an_example_of_a_batch_is_named_by_its_position_and_the_users_op() -> None:
    program = bg.compile(bg.vmap(walk, (None, 0, 0)), checks=True)
    with pytest.raises(IndexRangeError) as caught:
        program(X, np.array([2, 6, 7], "int32"), np.array([0, 1, 2], "int32"))
    said = str(caught.value).splitlines()
    assert said[0] == "take: index 4 is out of range for axis 0"
    assert said[2] == "  found at indices[1], of indices: i32[3], in step 4 of the while, counted from 0"
    assert said[3] == f"  from {__file__}:{walk.__code__.co_firstlineno + 1}"


def test_what_the_other_examples_read_stays_what_it_was() -> None:
    """Read at 0 in place of its own index, the other example's logarithm would give the gradient of x[0] a nan: 0 * inf."""
    f = lambda x, flag, i: bg.cond(flag, lambda: bg.log(x[i]), lambda: 0.0)  # noqa: E731
    total = lambda x, flags, i: bg.sum(bg.vmap(f, (None, 0, 0))(x, flags, i))  # noqa: E731
    given = np.array([0, 1, 2], "float32"), np.array([True, False]), np.array([2, 1], "int32")
    for checks in (False, True):
        found = bg.compile(bg.grad(total), checks=checks)(*given)
        np.testing.assert_array_equal(np.array(found), [0, 0, 0.5])


def test_nothing_of_it_is_left_in_a_program() -> None:
    def f(x, i, j):
        return bg.cond(i < 4, lambda: x[i, j], lambda: bg.scan(lambda c, k: (c * x[k, j], None), 1.0, bg.arange(4))[0])

    graph = bg.trace(bg.vmap(f, (None, 0, 0)), X, *columns(PAIRS))
    assert "used_where" in str(graph) and parse(str(graph)) == graph
    program = bg.compile(graph)
    assert "used_where" not in str(program.ir())
    for word in ("logical_not", "any", "~"):
        assert word not in program.source


def test_what_all_examples_share_stays_one_array() -> None:
    """Marking its indices must not make a loop, or a read, that no example changes run for each of them."""
    table, k = np.ones((7, 5), "float32"), np.asarray(2, "int32")

    def f(flag, table, k):
        shared = lambda: bg.fori_loop(0, k, lambda n, c: c + table[n], table[k])  # noqa: E731
        return bg.cond(flag, lambda: bg.sum(shared() * table[k]), lambda: 0.0)

    batched = bg.vmap(f, (0, None, None))
    graph = bg.trace(batched, np.array([True, False, True]), table, k)
    (loop,) = [node for node in graph.nodes if node.op.name == "while"]
    assert [v.shape for v in loop.results] == [(), (5,)]
    assert {node.results[0].shape for node in graph.nodes if node.op.name in ("take", "mul")} == {(5,)}
    by_row = bg.vmap(lambda flag, row, k: bg.cond(flag, lambda: row[k], lambda: 0.0), (0, 0, None))
    (read,) = [n for n in bg.trace(by_row, np.array([True] * 7), table, k).nodes if n.op.name.startswith("take")]
    assert read.op.name == "take" and read.operands[1].shape == ()
    with pytest.raises(IndexRangeError, match="index 9"):
        bg.compile(by_row, checks=True)(np.array([False] * 6 + [True]), table, np.asarray(9, "int32"))
    bg.compile(by_row, checks=True)(np.array([False] * 7), table, np.asarray(9, "int32"))
    program = bg.compile(batched, checks=True)
    program(np.array([False, False]), table, np.asarray(9, "int32"))  # nobody reads
    with pytest.raises(IndexRangeError, match="index 9"):
        program(np.array([False, True]), table, np.asarray(9, "int32"))


def test_used_where_refuses_what_does_not_fit() -> None:
    text = """graph @f(%i: i32[2,3], %m: bool[2]) -> i32[2,3] {
      %0: i32[2,3] = used_where(%i, %m, of="take", operand="indices", axes=[0], lows=[-4], highs=[3], n_aligned=1)
      return %0
    }"""
    parse(text)
    for old, new, message in (
        ("bool[2]", "bool[3]", "the last 1 axes of the mask bool"),
        ("bool[2]", "i32[2]", "takes integers and a bool mask"),
        ("lows=[-4]", "lows=[]", "do not fit the indices"),
        ("n_aligned=1", "n_aligned=1, by_column=true", "do not fit the indices"),
    ):
        with pytest.raises(ParseError, match=message):
            parse(text.replace(old, new))


def test_a_marked_op_is_linear_in_what_it_was() -> None:
    """The masks are new operands before the tangents."""

    def nodes(graph):
        for node in graph.nodes:
            yield node
            for inner in node.op.graphs():
                yield from nodes(inner)

    for f, name in ((scan_in_branch, "scan"), (remade, "checkpoint_tangent")):
        graph = bg.trace(partial(along, f), X, *columns(PAIRS))
        inside = [node for node in nodes(graph) if node.op.name == name]
        linear = [n.operands[k].type.dtype.name for n in inside for k in sum(n.op.linear_positions(len(n.operands)), ())]
        assert set(linear) == {"f32"}
