"""checks=True inside loops and branches: which index is named, where and in which step; that nothing else changes."""

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import IndexRangeError

X = np.array([0, 1, 2, 3, 4], "float32")


def i32(*numbers: int) -> Any:
    return np.array(numbers if len(numbers) != 1 else numbers[0], "int32")


def walk(x, n):
    """The sum of the first n; n is traced, so this is a while."""
    return bg.fori_loop(0, n, lambda i, c: c + x[i], 0.0)


def seek(x, i):
    """The first place from i on that is not positive: the end depends on what is read."""
    return bg.while_loop(lambda i: x[i] > 0, lambda i: i + 1, i)


def last_look(x, i):
    """cond reads once more than there are steps."""
    return bg.while_loop(lambda i: (x[i] > 0) & (i < 5), lambda i: i + 2, i)


def both(x, i):
    """Adds up as long as x[i] is positive; the body reads ahead."""
    return bg.while_loop(lambda c: x[c[0]] > 0, lambda c: (c[0] + 1, c[1] + x[2 * c[0]]), (i, 0.0))[1]


def leaping(x, i):
    """Where the body reads too far, so does cond after it."""
    return bg.while_loop(lambda c: x[c[0]] > 0, lambda c: (c[0] + 4, c[1] + x[c[0] + 3]), (i, 0.0))[1]


def scanned(x, ns):
    return bg.scan(lambda c, n: (c + walk(x, n), None), 0.0, ns)[0]


def backwards(x, ns):
    return bg.scan(lambda c, n: (c + walk(x, n), None), 0.0, ns, reverse=True)[0]


def scanning(x, n):
    step = lambda i, c: bg.scan(lambda s, k: (s + x[i + k], None), c, bg.arange(3))[0]  # noqa: E731
    return bg.fori_loop(0, n, step, 0.0)


def branching(x, n):
    return bg.fori_loop(0, n, lambda i, c: bg.cond(i % 2 == 0, lambda: c + x[i], lambda: c - x[2 * i]), 0.0)


def looping(x, n):
    return bg.fori_loop(0, n, lambda i, c: bg.fori_loop(i, 2 * i, lambda j, d: d + x[j], c), 0.0)


def of_branches(x, n):
    return bg.cond(n > 3, lambda: walk(x, n), lambda: 1.0 * seek(x, n - 4))


# function, an argument with which all indices are in range, one with which they are not; the index that is said, its step
CASES = [
    (walk, i32(5), i32(9), 5, "step 5 of the while"),
    (walk, i32(5), i32(6), 5, "step 5 of the while"),
    (seek, i32(0), i32(1), 5, "step 4 of the while"),
    (seek, i32(-5), i32(-6), -6, "step 0 of the while"),
    (last_look, i32(0), i32(2), 6, "step 2 of the while"),
    (both, i32(-5), i32(1), 6, "step 2 of the while"),
    (both, i32(0), i32(-4), -8, "step 0 of the while"),
    (both, i32(0), i32(-6), -6, "step 0 of the while"),
    (leaping, i32(-4), i32(3), 6, "step 0 of the while"),
    (scanned, i32(1, 5, 0), i32(2, 1, 7, 9), 5, "step 2 of the scan, step 5 of the while"),
    (backwards, i32(1, 5, 0), i32(8, 1, 7, 2), 5, "step 2 of the scan, step 5 of the while"),
    (scanning, i32(3), i32(6), 5, "step 3 of the while, step 2 of the scan"),
    (branching, i32(3), i32(9), 6, "step 3 of the while"),
    (looping, i32(3), i32(5), 5, "step 3, 2 of the while"),
    (of_branches, i32(5), i32(6), 5, "step 5 of the while"),
    (of_branches, i32(5), i32(-3), -7, "step 0 of the while"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}-{case[3]}")
def test_the_first_index_out_of_range_is_named_with_its_step(case: Any) -> None:
    function, good, bad, index, step = case
    program, plain = bg.compile(function, checks=True, verify=True), bg.compile(function)
    np.testing.assert_array_equal(np.array(program(X, good)), np.array(plain(X, good)))
    with pytest.raises(IndexRangeError) as caught:
        program(X, bad) if good.shape == bad.shape else bg.compile(function, checks=True)(X, bad)
    said = str(caught.value).splitlines()
    assert said[0] == f"take: index {index} is out of range for axis 0"
    assert said[1] == "  in range: -5 ... 4"
    assert said[2] == f"  found at indices[], of indices: i32[], in {step}, counted from 0"
    assert said[3].startswith(f"  from {__file__}:") and len(said) == 4
    program(X, good)  # usable after it


def test_a_loop_ends_with_the_first_index_out_of_range() -> None:
    """Clamped reads of ones would go on for ever, whether cond reads or the body."""
    ones, i = np.ones(5, "float32"), i32(3)
    by_body = lambda x, i: bg.while_loop(lambda c: c[1] > 0, lambda c: (c[0] + 1, x[c[0]]), (i, 1.0))  # noqa: E731
    inside = lambda x, i: bg.scan(lambda c, _: (seek(x, c), by_body(x, c)), i, length=2)  # noqa: E731
    for function in (seek, by_body, inside, bg.vmap(seek, (None, 0)), bg.vmap(by_body, (None, 0))):
        start = i if function in (seek, by_body, inside) else i32(3, 0)
        with pytest.raises(IndexRangeError, match="take: index 5"):
            bg.compile(function, checks=True)(ones, start)


class Counting:
    """mlx.core, counting calls by name."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(mx, name)
        if isinstance(found, type) or not callable(found):
            return found

        def called(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            return found(*args, **kwargs)

        return called


def emitted(program: Any, *args: Any) -> Counting:
    """What the emitted source calls when it runs."""
    counting = Counting()
    scope: dict[str, Any] = {"mx": counting}
    exec(program.specialise(*args).source.replace("import mlx.core as mx\n", ""), scope)
    scope["run"](scope["prepare"]({}), tuple(map(mx.array, args)))
    return counting


@pytest.mark.parametrize("function", [walk, seek, both, branching, looping])
def test_checks_wait_no_more_and_run_cond_no_more(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, plain = bg.compile(function, checks=True), bg.compile(function)
    x, n = np.array([0, 1, 1, 0, 0], "float32"), i32(1 if function in (seek, both) else 3)
    assert emitted(checked, x, n).calls["take"] == emitted(plain, x, n).calls["take"] > 2
    assert checked.source.count(".item()") == plain.source.count(".item()")
    waits = [[line for line in each.explain().splitlines() if "sync" in line] for each in (checked, plain)]
    assert waits[0] == waits[1] != []
    evaluated: list[Any] = []
    evaluate = mx.eval
    monkeypatch.setattr(mx, "eval", lambda *a: (evaluated.append(a), evaluate(*a)))
    checked(x, n)
    assert len(evaluated) == 1


def test_results_and_derivatives_are_the_same_to_the_last_bit() -> None:
    x, n = np.random.default_rng(0).normal(size=(6, 3)).astype("float32"), i32(6)

    def recurrence(x, n):
        step = lambda i, c: bg.tanh(c * x[i] + bg.take(x, i * 7 % 6 - 6, axis=0))  # noqa: E731
        return bg.fori_loop(0, n, step, x[0])

    for function in (recurrence, lambda x, n: bg.jvp(lambda x: recurrence(x, n), (x,), (x,))):
        for found, want in zip(bg.compile(function, checks=True)(x, n), bg.compile(function)(x, n), strict=True):
            assert np.array(found).tobytes() == np.array(want).tobytes()


def test_an_earlier_step_comes_before_an_earlier_line() -> None:
    """Of two reads in a scan, the one that was out of range first."""
    f = bg.compile(lambda x, i, j: bg.scan(lambda c, k: (c + x[k[0]] + x[k[1]], None), 0.0, bg.stack([i, j], 1)), checks=True)
    f(X, i32(0, 1, 2), i32(4, 3, 2))
    with pytest.raises(IndexRangeError, match=r"index 8(.|\n)*step 1 of the scan"):
        f(X, i32(0, 1, 9), i32(4, 8, 2))
    with pytest.raises(IndexRangeError, match=r"index 9(.|\n)*step 1 of the scan"):
        f(X, i32(0, 9, 9), i32(4, 8, 2))


def test_positions_of_arrays_of_indices_in_a_loop() -> None:
    def f(x, rows):
        return bg.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] + x[rows + c[0], [0, 1]]), (0, bg.zeros((2, 2))))[1]

    x, rows = np.ones((4, 3), "float32"), np.array([[0, 1], [1, 0]], "int32")
    program = bg.compile(f, checks=True)
    np.testing.assert_array_equal(np.array(program(x, rows)), np.full((2, 2), 3.0))
    with pytest.raises(IndexRangeError) as caught:
        program(x, rows + np.array([[0, 0], [1, 0]], "int32"))
    assert "gather_nd: index 4 is out of range for axis 0\n  in range: -4 ... 3\n" in str(caught.value)
    assert "found at indices[1, 0, 0], of indices: i32[2,2,2], in step 2 of the while, counted from 0" in str(caught.value)
