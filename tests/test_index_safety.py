"""No index reads or writes outside an array: every op that indexes, found from the registry, is given the worst there are.

MLX checks nothing, so a mistake here ends the process: the ops run in one of their own.
"""

import ast
import subprocess
import sys
from itertools import product
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import IndexRangeError, InputError
from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import run
from burngraph.ir.op import OPS, IndexOperand, Op, operand_names
from burngraph.ir.types import DTYPES, as_dtype, type_of
from burngraph.lower_mlx.lower import apply_eagerly, from_numpy
from tests.samples import Sample, all_samples

INDEX_NAMES = ("index", "indices", "positions", "starts", "start", "targets")
INDEX_DTYPES = [d for d in DTYPES.values() if d.is_integer]


def indexes(sample: Sample) -> tuple[IndexOperand, ...]:
    return sample.op.index_operands(*sample.types)


def test_every_op_with_an_operand_named_like_an_index_says_so() -> None:
    """`index_operands` is how the tests below and checks=True know; a composite may leave it to what it decomposes into."""
    silent = [
        name
        for name, op_class in OPS.items()
        if set(operand_names(op_class)) & set(INDEX_NAMES)
        and op_class.index_operands is Op.index_operands
        and not hasattr(op_class, "decompose")
    ]
    assert silent == []


def test_every_op_that_indexes_has_a_sample() -> None:
    named = {name for name, op_class in OPS.items() if op_class.index_operands is not Op.index_operands}
    assert named == {s.op.name for s in all_samples() if indexes(s)}
    assert {"take", "take_along", "add_at", "add_along", "gather_nd", "scatter_nd", "scatter_along"} <= named


def bad_indices(dtype: Any, size: int) -> list[int]:
    limits = np.iinfo(dtype.numpy)
    wanted = [
        -(10**9),
        -size - 1,
        size,
        size + 1,
        -(2**31),
        2**31 - 1,
        2**32 - 1,
        limits.min,
        limits.max,
        0,
        -1,
        size - 1,
        -size,
    ]
    return [n for n in dict.fromkeys(wanted) if limits.min <= n <= limits.max]


def graph_of(op: Op, arrays: list[Any]) -> Graph:
    builder = Builder("one_op")
    params = [None if a is None else builder.param(type_of(a)) for a in arrays]
    return builder.build(builder.several(op, *params))


def inside(x: Any, index: Any) -> None:
    """Fail unless every index array in `index` is inside the axis of `x` that it counts along."""
    axis = 0
    for item in index if isinstance(index, tuple) else (index,):
        if isinstance(item, mx.array) and item.size:
            assert 0 <= mx.min(item).item() and mx.max(item).item() < x.shape[axis]
        axis += item is not None and item is not Ellipsis


class GuardedMx:
    """mlx.core, whose functions that index fail where MLX would touch what is outside."""

    def __getattr__(self, name: str) -> Any:
        return getattr(mx, name)

    def take(self, x: Any, indices: Any, axis: int) -> Any:
        inside(x, (*(slice(None),) * axis, indices))
        return mx.take(x, indices, axis=axis)

    def take_along_axis(self, x: Any, indices: Any, axis: int) -> Any:
        inside(x, (*(slice(None),) * axis, indices))
        return mx.take_along_axis(x, indices, axis=axis)

    def put_along_axis(self, x: Any, indices: Any, values: Any, axis: int) -> Any:
        inside(x, (*(slice(None),) * axis, indices))
        return mx.put_along_axis(x, indices, values, axis=axis)


class Guard(ast.NodeTransformer):
    """x[index] as _read(x, index), and x.at[index] as _at(x, index)."""

    def visit_Slice(self, node: ast.Slice) -> ast.AST:
        bounds = [part or ast.Constant(None) for part in (node.lower, node.upper, node.step)]
        return ast.Call(ast.Name("slice", ast.Load()), bounds, [])

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        is_at = isinstance(node.value, ast.Attribute) and node.value.attr == "at"
        base = node.value.value if is_at else node.value  # type: ignore[attr-defined]
        return ast.Call(ast.Name("_at" if is_at else "_read", ast.Load()), [base, node.slice], [])


def guarded_run(source: str) -> Any:
    """The emitted `run`, made to fail where an index reaches outside."""

    def read(x: Any, index: Any) -> Any:
        inside(x, index)
        return x[index]

    def at(x: Any, index: Any) -> Any:
        inside(x, index)
        return x.at[index]

    scope: dict[str, Any] = {"mx": GuardedMx(), "_read": read, "_at": at}
    tree = Guard().visit(ast.parse(source.replace("import mlx.core as mx\n", "")))
    exec(compile(ast.fix_missing_locations(tree), "<guarded>", "exec"), scope)
    return scope["run"]


def attack(sample: Sample) -> int:
    """Run one op on bad indices of every dtype: as emitted, guarded; then unguarded, op by op and as a program."""
    n_runs = 0
    for allowed, dtype in product(indexes(sample), INDEX_DTYPES):
        arrays = sample.operands(np.random.default_rng(0))
        shape = arrays[allowed.operand].shape
        bad = np.array(bad_indices(dtype, allowed.highs[0] + 1), dtype.numpy)
        arrays[allowed.operand] = np.zeros(shape, dtype.numpy)
        program = bg.compile(graph_of(sample.op, arrays))
        run_guarded = guarded_run(program.source)
        for shift in range(0, len(bad), max(arrays[allowed.operand].size, 1)):
            arrays[allowed.operand] = np.resize(np.roll(bad, -shift), shape)
            wants = run(program.graph, *(a for a in arrays if a is not None))
            given = [None if a is None else from_numpy(a) for a in arrays]
            present = tuple(a for a in given if a is not None)
            for got in (run_guarded((), present), apply_eagerly(sample.op, *given), program(*present)):
                for found, want in zip(got if isinstance(got, list | tuple) else (got,), wants, strict=True):
                    assert as_dtype(found.dtype) is as_dtype(want.dtype)
                    wide = np.array(found.astype(mx.float32) if found.dtype == mx.bfloat16 else found)
                    tolerance = 1e-2 if want.dtype.itemsize == 2 else 1e-5
                    np.testing.assert_allclose(wide, want.astype(wide.dtype), rtol=tolerance, atol=tolerance)
            for a, b in zip(given, arrays, strict=True):  # an operand that changed was written to
                assert a is None or np.array_equal(np.array(a.astype(mx.float32)), b.astype(np.float32))
            n_runs += 1
    return n_runs


def test_the_guard_fails_where_an_index_is_outside() -> None:
    source = bg.compile(lambda x, i: bg.take(x, i, 0)).specialise(np.ones(3, "float32"), np.array([0], "int32")).source
    unsafe = source.replace("mx.clip(", "(lambda i, low, high: i)(")
    assert unsafe != source
    with pytest.raises(AssertionError):
        guarded_run(unsafe)((), (mx.ones(3), mx.array([7])))


ATTACK = "from tests.test_index_safety import *; print(sum(attack(s) for s in all_samples() if indexes(s)))"


def test_bad_indices_leave_the_process_alive_and_mean_what_the_interpreter_says() -> None:
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", ATTACK], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, f"ended with {result.returncode}\n{result.stderr[-3000:]}"
    assert int(result.stdout) > 100


def first_samples() -> list[Sample]:
    """For each op that indexes, its first sample with an index in it."""
    found: dict[str, Sample] = {}
    for sample in all_samples():
        if any(sample.types[i.operand].size for i in indexes(sample)):
            found.setdefault(sample.op.name, sample)
    return list(found.values())


@pytest.mark.parametrize("sample", first_samples(), ids=str)
def test_checks_name_the_index(sample: Sample) -> None:
    for allowed in indexes(sample):
        arrays = sample.operands(np.random.default_rng(0))
        indices = np.zeros_like(arrays[allowed.operand])
        arrays[allowed.operand] = indices
        program = bg.compile(graph_of(sample.op, arrays), checks=True)
        given = [a for a in arrays if a is not None]
        program(*given)
        column = len(allowed.axes) - 1
        indices.reshape(-1)[-1] = bad = allowed.highs[column] + 1
        name = operand_names(type(sample.op), len(arrays))[allowed.operand]
        position = [n - 1 for n in indices.shape]
        with pytest.raises(IndexRangeError) as caught:
            program(*given)
        assert str(caught.value) == "\n  ".join([
            f"{sample.op.name}: index {bad} is out of range for axis {allowed.axes[column]}",
            f"in range: {allowed.lows[column]} ... {allowed.highs[column]}",
            f"found at {name}{position}, of {name}: {type_of(indices)}",
        ])  # fmt: skip
        indices.reshape(-1)[-1] = 0
        program(*given)  # the program is usable after it


@pytest.mark.parametrize("dtype", INDEX_DTYPES, ids=str)
def test_checks_see_every_bad_index(dtype: Any) -> None:
    limits = np.iinfo(dtype.numpy)
    for size in (3, 300):
        program = bg.compile(lambda x, i: bg.take(x, i, axis=0), checks=True)
        x = np.zeros(size, "float32")
        for bad in (-size - 1, size, limits.min, limits.max):
            if limits.min <= bad <= limits.max and not -size <= bad < size:
                with pytest.raises(IndexRangeError, match=f"index {bad} is out of range for axis 0"):
                    program(x, np.array([0, bad], dtype.numpy))
        good = [n for n in (-size, -1, 0, size - 1) if limits.min <= n <= limits.max]
        program(x, np.array(good, dtype.numpy))


def losing(x, i, j):
    y = bg.take(bg.exp(x), i, axis=0)
    return bg.sum(y.at[j, :].add(1.0))


def test_checks_name_the_users_line_and_look_through_derivatives_and_composites() -> None:
    x, i, j = np.ones((4, 3), "float32"), np.array([0, 3], "int32"), np.array([5], "int32")
    for function in (losing, bg.value_and_grad(losing)):
        program = bg.compile(function, checks=True)
        program(x, i, j - 4)
        with pytest.raises(IndexRangeError, match=r"scatter_nd: index 5 .* axis 0(.|\n)*test_index_safety.py:\d+") as caught:
            program(x, i, j)
        assert f"test_index_safety.py:{losing.__code__.co_firstlineno + 2}" in str(caught.value)


@pytest.mark.parametrize("loss", [bg.cross_entropy, bg.nll_loss, bg.multi_margin_loss])
def test_checks_of_classes_allow_no_negative_number_but_the_ignored_one(loss: Any) -> None:
    x, good = np.ones((4, 3), "float32"), np.array([0, 1, 2, 2], "int32")
    # a derivative does not compute the loss, but it reads the same classes
    for function in (loss, lambda x, y: bg.grad(lambda x: loss(x, y))(x)):
        program = bg.compile(function, checks=True)
        program(x, good)
        if loss is not bg.multi_margin_loss:
            program(x, np.array([0, 1, -100, 2], "int32"))
        for bad in (-1, 3):
            with pytest.raises(IndexRangeError) as caught:
                program(x, np.array([0, 1, bad, 2], "int32"))
            said = f"class_numbers: index {bad} is out of range for axis 1\n  in range: 0 ... 2\n  found at targets[2]"
            assert said in str(caught.value)
    assert "class_numbers" not in {node.op.name for node in program.ir().nodes}


def stepping(x, i):
    """Adds up rows: in each step one row, or in an inner loop the same row twice."""

    def step(c, k):
        twice = lambda c: bg.scan(lambda d, n: (d + x[n], None), c, bg.stack([k, k]))[0]  # noqa: E731
        return bg.cond(k > 0, twice, lambda c: c + x[k - 1], c), x[k, 0]

    return bg.scan(step, x[0], i)


def test_checks_look_into_checkpoints_branches_and_loops() -> None:
    x, i = np.ones((4, 3), "float32"), np.array([7], "int32")
    remade = bg.compile(bg.grad(lambda x, i: bg.checkpoint(lambda x: bg.sum(x[i] ** 2))(x)), checks=True)
    with pytest.raises(IndexRangeError, match="take: index 7"):
        remade(x, i)
    branched = bg.compile(lambda x, i: bg.cond(x[0, 0] > 0, lambda x: x[i], lambda x: x[i + 1] * 2, x), checks=True)
    with pytest.raises(IndexRangeError, match=r"take: index 7(.|\n)*test_index_safety.py"):
        branched(x, i)
    with pytest.raises(IndexRangeError, match="take: index 8"):
        branched(-x, i)
    branched(-x, i - 5)
    for function in (stepping, bg.value_and_grad(lambda x, i: bg.sum(stepping(x, i)[0]))):
        looped, plain = bg.compile(function, checks=True, verify=True), bg.compile(function)
        good = np.array([3, 0, 1], "int32")
        for a, b in zip(looped(x, good), plain(x, good), strict=True):
            np.testing.assert_array_equal(np.array(a), np.array(b))
        with pytest.raises(IndexRangeError, match="index 5"):  # that of the first step that has a bad one
            looped(x, np.array([1, 5, 6], "int32"))
        with pytest.raises(IndexRangeError, match="index -6"):
            looped(x, np.array([1, 2, -5], "int32"))


def test_checks_of_a_loop_start_with_its_first_step_and_need_one() -> None:
    x, i = np.ones((4, 3), "float32"), np.array([1, 5, 6], "int32")
    last_first = bg.compile(lambda x, i: bg.scan(lambda c, k: (c + x[k], None), x[0], i, reverse=True)[0], checks=True)
    with pytest.raises(IndexRangeError, match=r"take: index 6(.|\n)*in step 2 of the scan, counted from 0"):
        last_first(x, i)
    last_first(x, i[:0])
    rows = np.array([[0, 1, 2], [0, 1, 7]], "int32")
    both = lambda x, i: bg.scan(lambda c, r: (bg.scan(lambda d, k: (d + x[k], None), c, r)[0], x[r]), x[0], i)  # noqa: E731
    with pytest.raises(IndexRangeError, match=r"found at indices\[\], of indices: i32\[\], in step 1, 2 of the scan"):
        bg.compile(both, checks=True)(x, rows)


def test_indices_of_a_loop_that_counts_are_proved() -> None:
    x = np.ones((4, 3), "float32")
    program = bg.compile(lambda x: bg.fori_loop(0, 4, lambda i, c: c + x[i], x[0]), checks=True)
    np.testing.assert_array_equal(np.array(program(x)), [5.0, 5.0, 5.0])
    assert len(program.ir().results) == 1 and "minimum" not in program.source and "clip" not in program.source
    with pytest.raises(IndexRangeError, match="take: index 4"):
        bg.compile(lambda x: bg.fori_loop(0, 5, lambda i, c: c + x[i], x[0]), checks=True)(x)
    carried = bg.compile(lambda x, i: bg.scan(lambda c, _: (c[::-1], x[c[0]]), i, length=2)[1], checks=True)
    with pytest.raises(IndexRangeError, match="take: index 9"):  # a carried value starts as one operand and goes on as others
        carried(x, np.array([0, 9], "int32"))


def test_checks_look_into_while() -> None:
    """More of it in tests/passes/test_check_indices.py, and of batched loops and branches beside that."""
    x, i = np.ones((4, 3), "float32"), np.array([1], "int32")
    program = bg.compile(lambda x, i: bg.while_loop(lambda c: c[0, 0] < 3, lambda c: c + x[i], x), checks=True, verify=True)
    np.testing.assert_array_equal(np.array(program(x, i)), np.full((4, 3), 3.0))
    with pytest.raises(IndexRangeError, match=r"take: index 4(.|\n)*found at indices\[0\].*, in step 0 of the while, counted"):
        program(x, i + 3)


def test_checks_give_the_same_results_and_cost_nothing_where_indices_are_proved() -> None:
    x, i = np.arange(12, dtype="float32").reshape(4, 3), np.array([1, -1], "int32")
    function = lambda x, i: {"a": x[i], "b": x.at[i].set(0.0)}  # noqa: E731
    plain, checked = bg.compile(function)(x, i), bg.compile(function, checks=True, verify=True)(x, i)
    for key in plain:
        np.testing.assert_array_equal(np.array(plain[key]), np.array(checked[key]))
    proved = bg.compile(lambda x: x[[0, 2]], checks=True)
    proved(x)
    assert len(proved.ir().results) == 1


def test_one_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    program, x = bg.compile(lambda x, i: x[i], checks=True), np.ones(3, "float32")
    program(x, np.array([1], "int32"))
    calls: list[Any] = []
    evaluate = mx.eval
    monkeypatch.setattr(mx, "eval", lambda *a: (calls.append(a), evaluate(*a)))
    program(x, np.array([1], "int32"))
    assert len(calls) == 1


def test_lazy_cannot_check() -> None:
    with pytest.raises(InputError, match="lazy evaluates nothing"):
        bg.compile(lambda x, i: x[i], checks=True).lazy(np.ones(3, "float32"), np.array([1], "int32"))


def test_vmap_keeps_the_meaning_of_bad_indices() -> None:
    """Batched by index tuples: out of range for one example is still out of range, and never another example's entry."""
    if not hasattr(bg, "vmap"):
        pytest.skip("no vmap yet")
    x, i = np.arange(6, dtype="float32").reshape(2, 3), np.array([[5, -9, 1], [0, 3, -3]], "int32")
    read = bg.vmap(lambda x, i: x[i])(x, i)
    np.testing.assert_array_equal(np.array(read), [[2, 0, 1], [3, 5, 3]])
    wrote = bg.vmap(lambda x, i: x.at[i].set(-1.0))(x, i)
    np.testing.assert_array_equal(np.array(wrote), [[0, -1, 2], [-1, 4, 5]])


@pytest.mark.parametrize("dtype", INDEX_DTYPES, ids=str)
def test_small_dtypes_on_long_axes(dtype: Any) -> None:
    """300 is beyond i8 and u8, so that an index of that dtype must be widened before it is counted from the end."""
    x, v = np.arange(300, dtype="float32"), np.ones(1, "float32")
    for bad in bad_indices(dtype, 300):
        i = np.array([bad], dtype.numpy)
        at = bad + 300 if bad < 0 else bad
        wrote = [at] if 0 <= at < 300 else []
        cases = [
            (lambda x, i, v: x[i] + 0 * v, [min(max(at, 0), 299)]),
            (lambda x, i, v: x.at[i].set(-v), np.where(np.isin(np.arange(300), wrote), -1, x)),
            (lambda x, i, v: x.at[i].add(v), np.where(np.isin(np.arange(300), wrote), x + 1, x)),
        ]
        for function, want in cases:
            program = bg.compile(function).specialise(x, i, v)
            np.testing.assert_array_equal(run(program.graph, x, i, v)[0], want)
            got = guarded_run(program.source)((), tuple(map(from_numpy, (x, i, v))))
            np.testing.assert_array_equal(np.array(got[0]), want)


@pytest.mark.parametrize("dtype", INDEX_DTYPES, ids=str)
def test_proved_indices_of_every_dtype(dtype: Any) -> None:
    x, i = np.arange(12, dtype="float32").reshape(4, 3), np.array([100, 7, 2], dtype.numpy)
    program = bg.compile(lambda x, i: (x[i % 4, i], bg.scatter_add(x, 0, (i % 4)[None], 1.0), x.at[i % 4, 1].set(0.0)))
    found, graph = program(x, i), program.graph
    for got, want in zip(found, run(graph, x, i), strict=True):
        np.testing.assert_array_equal(np.array(got), want)
    guarded_run(program.source)((), (mx.array(x), from_numpy(i)))


@pytest.mark.parametrize(
    ("labels", "steps", "sizes", "said"),
    [
        ([[1, 99], [2, 77]], [5, 5], [2, 1], r"index 99 is out of range for axis 2(.|\n)*\[0, 1\]"),
        ([[1, 2], [2, 77]], [5, 600], [2, 1], r"index 600 is out of range for axis 0(.|\n)*\[1\]"),
        ([[1, 2], [2, 77]], [5, 5], [2, 9], r"index 9 is out of range for axis 1(.|\n)*\[1\]"),
        ([[1, 2], [2, 77]], [5, 4], [2, 1], None),
    ],
)
def test_checks_of_ctc_look_at_labels_that_count_and_at_lengths(labels, steps, sizes, said) -> None:
    log_probs = np.log(np.full((5, 2, 4), 0.25, "float32"))
    given = log_probs, np.array(labels, "int32"), np.array(steps, "int32"), np.array(sizes, "int32")
    program = bg.compile(lambda *given: bg.ctc_loss(*given, reduction="none"), checks=True)
    if said is None:
        assert np.isfinite(np.array(program(*given))).all()
        return
    with pytest.raises(bg.errors.IndexRangeError, match=said + r"(.|\n)*test_index_safety.py"):
        program(*given)
    assert np.isnan(np.array(bg.compile(lambda *given: bg.ctc_loss(*given, reduction="none"))(*given))).any()
