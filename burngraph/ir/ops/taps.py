"""Which entries a resampled entry reads along one axis, and with which weights: in NumPy, and as IR from counters alone.

A tap is a pair (index, weight), one of each per result entry; a result entry is the sum over taps of weight * x[index]. The
position that result entry o reads around is

    align_corners          o * (n_in - 1) / max(n_out - 1, 1)
    else                   (o + 1/2) * n_in / n_out - 1/2
    nearest, nearest-exact o * n_in / n_out, (o + 1/2) * n_in / n_out     (rounded down)

in whole numbers, so that no rounding moves it; or with a float `scale` in place of n_in / n_out, in f32.
Sources: Keys 1981 for cubic (a = -3/4), Duchon 1979 for lanczos3.
"""

from typing import Any, NamedTuple

import numpy as np

from burngraph.ir.ops.arithmetic import Add, Div, FloorDivide, Maximum, Minimum, Mul, Sub
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal, Less, LessEqual, Select
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.functions import Abs, Floor, Sin
from burngraph.ir.types import F32, I32, I64, Array, DType, TensorType
from burngraph.ir.value import Emit, Value

# kernel: how far the first and the last tap are from the position rounded down
REACH = {"nearest": (0, 0), "nearest-exact": (0, 0), "linear": (0, 1), "cubic": (-1, 2), "lanczos3": (-2, 3)}
KERNELS = (*REACH, "area")
IS_NEAREST = ("nearest", "nearest-exact")


class Grid(NamedTuple):
    """One axis of n_in entries resampled to n_out. scale: entries of x per entry of the result, 0 for n_in / n_out."""

    n_in: int
    n_out: int
    kernel: str
    align_corners: bool
    scale: float

    @property
    def is_scaled(self) -> bool:
        """Whether positions are floats, from `scale`."""
        return self.scale != 0 and (self.kernel in IS_NEAREST or not self.align_corners) and self.kernel != "area"

    @property
    def ratio(self) -> tuple[int, int, int]:
        """(a, b, c): the position of entry o is (a * o + b) / c."""
        if self.kernel == "nearest":
            return self.n_in, 0, self.n_out
        if self.kernel == "nearest-exact":
            return 2 * self.n_in, self.n_in, 2 * self.n_out
        if self.align_corners:
            return self.n_in - 1, 0, max(self.n_out - 1, 1)
        return 2 * self.n_in, self.n_in - self.n_out, 2 * self.n_out

    @property
    def shifts(self) -> tuple[float, float]:
        """(p, q): the position of entry o is (o + p) * scale - q."""
        return (0.0 if self.kernel == "nearest" else 0.5), (0.0 if self.kernel in IS_NEAREST else 0.5)

    @property
    def longest_window(self) -> int:
        """Of the area kernel: the most entries that one result entry averages."""
        low, high = self.windows()
        return int((high - low).max())

    def windows(self) -> tuple[Array, Array]:
        """Of the area kernel: first entry, and the one after the last."""
        o = np.arange(self.n_out, dtype=np.int64)
        return o * self.n_in // self.n_out, -(-(o + 1) * self.n_in // self.n_out)


def taps(grid: Grid) -> tuple[Array, Array]:
    """Indices i64[n_taps, n_out], all in range, and weights f64[n_taps, n_out]."""
    if grid.kernel == "area":
        low, high = grid.windows()
        at = low + np.arange(grid.longest_window)[:, None]
        return np.minimum(at, high - 1), np.where(at < high, 1 / (high - low), 0.0)
    o = np.arange(grid.n_out, dtype=np.int64)
    if grid.is_scaled:
        p, q = (np.float32(v) for v in grid.shifts)
        position = (o.astype(np.float32) + p) * np.float32(grid.scale) - q
        base = np.floor(position).astype(np.int64)
        t = position.astype(np.float64) - base
    else:
        a, b, c = grid.ratio
        base, rest = np.divmod(a * o + b, c)
        t = rest / c
    first, last = REACH[grid.kernel]
    at = base + np.arange(first, last + 1)[:, None]
    weights = _kernel(grid.kernel, t - np.arange(first, last + 1)[:, None])
    if grid.kernel == "lanczos3":
        weights = np.where((at >= 0) & (at < grid.n_in), weights, 0.0)
        weights /= weights.sum(0)
    return np.clip(at, 0, grid.n_in - 1), weights


def _kernel(kernel: str, d: Array) -> Array:
    """The weight of an entry at distance d."""
    x = np.abs(d)
    if kernel in IS_NEAREST:
        return np.ones(d.shape)
    if kernel == "linear":
        return np.asarray(np.maximum(1 - x, 0))
    if kernel == "cubic":
        near, far = (1.25 * x - 2.25) * x * x + 1, ((-0.75 * x + 3.75) * x - 6) * x + 3
        return np.asarray(np.where(x <= 1, near, far))
    return np.asarray(np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0))


def band(grid: Grid, is_transposed: bool) -> int:
    """The length of the longest stretch of entries that one result entry reads; of the transpose, if so."""
    at = taps(grid)[0]
    if not is_transposed:
        return int(at.shape[0])
    first, last = np.full(grid.n_in, grid.n_out), np.full(grid.n_in, -1)
    o = np.broadcast_to(np.arange(grid.n_out), at.shape)
    np.minimum.at(first, at, o)
    np.maximum.at(last, at, o)
    return max(1, int(np.max(last - first)) + 1)


class _Rows:
    """Arithmetic of rows [n_out] with each other and with numbers."""

    def __init__(self, emit: Emit, n: int) -> None:
        self.emit, self.n = emit, n

    def count(self, dtype: DType) -> Value:
        return self.emit(Iota(0, TensorType(dtype, (self.n,))))

    def do(self, op: Any, x: Value | float, y: Value | float) -> Value:
        row = x if isinstance(x, Value) else y
        assert isinstance(row, Value)
        both = (v if isinstance(v, Value) else self.emit(Splat(v, row.type)) for v in (x, y))
        return self.emit(op, *both)

    def polynomial(self, x: Value, *coefficients: float) -> Value:
        """Horner's rule, the highest power first."""
        y = self.do(Mul(), x, coefficients[0])
        for c in coefficients[1:-1]:
            y = self.do(Mul(), self.do(Add(), y, c), x)
        return self.do(Add(), y, coefficients[-1])


def emit_taps(emit: Emit, grid: Grid, dtype: DType) -> list[tuple[Value, Value | None]]:
    """`taps` in IR: indices i32[n_out], weights dtype[n_out]. A weight of None is 1."""
    rows = _Rows(emit, grid.n_out)
    if grid.kernel == "area":
        return _emit_area(rows, grid, dtype)
    base, t = _emit_positions(rows, grid, dtype)
    first, last = REACH[grid.kernel]
    found: list[tuple[Value, Value | None]] = []
    for k in range(first, last + 1):
        at = rows.do(Add(), base, k) if k else base
        kept = rows.do(Minimum(), rows.do(Maximum(), at, 0), grid.n_in - 1)
        weight = None if t is None else _emit_kernel(rows, grid.kernel, rows.do(Sub(), t, float(k)) if k else t)
        if weight is not None and grid.kernel == "lanczos3":
            weight = emit(Select(), emit(Equal(), at, kept), weight, emit(Splat(0.0, weight.type)))
        found.append((kept, weight))
    return _normalised(rows, found) if grid.kernel == "lanczos3" else found


def _normalised(rows: _Rows, found: list[tuple[Value, Value | None]]) -> list[tuple[Value, Value | None]]:
    total: Value | None = None
    for _, w in found:
        total = w if total is None or w is None else rows.emit(Add(), total, w)
    return [(at, rows.emit(Div(), w, total)) for at, w in found]


def _emit_positions(rows: _Rows, grid: Grid, dtype: DType) -> tuple[Value, Value | None]:
    """The position rounded down, i32, and what is left of it; None where that is not asked for."""
    emit, is_nearest = rows.emit, grid.kernel in IS_NEAREST
    if grid.is_scaled:
        p, q = grid.shifts
        o = rows.count(F32)
        position = rows.do(Mul(), rows.do(Add(), o, p) if p else o, grid.scale)
        position = rows.do(Sub(), position, q) if q else position
        floor = emit(Floor(), position)
        t = None if is_nearest else emit(Cast(dtype), emit(Sub(), position, floor))
        return emit(Cast(I32), floor), t
    a, b, c = grid.ratio
    wide = I64 if a * grid.n_out + abs(b) + c >= 2**31 else I32
    number = rows.do(Add(), rows.do(Mul(), rows.count(wide), a), b)
    base = rows.do(FloorDivide(), number, c)
    t = None
    if not is_nearest:
        rest = emit(Sub(), number, rows.do(Mul(), base, c))
        t = rows.do(Div(), emit(Cast(dtype), rest), float(c))
    return emit(Cast(I32), base) if wide is I64 else base, t


def _emit_kernel(rows: _Rows, kernel: str, d: Value) -> Value:
    emit, x = rows.emit, rows.emit(Abs(), d)
    if kernel == "linear":
        return rows.do(Sub(), 1.0, x)
    if kernel == "cubic":
        near, far = rows.polynomial(x, 1.25, -2.25, 0.0, 1.0), rows.polynomial(x, -0.75, 3.75, -6.0, 3.0)
        return emit(Select(), rows.do(LessEqual(), x, 1.0), near, far)
    angle = rows.do(Mul(), x, np.pi)
    product = emit(Mul(), emit(Sin(), angle), emit(Sin(), rows.do(Div(), angle, 3.0)))
    is_zero = rows.do(Equal(), x, 0.0)
    square = emit(Select(), is_zero, emit(Splat(1.0, x.type)), rows.do(Div(), emit(Mul(), angle, angle), 3.0))
    return emit(Select(), is_zero, emit(Splat(1.0, x.type)), emit(Div(), product, square))


def _emit_area(rows: _Rows, grid: Grid, dtype: DType) -> list[tuple[Value, Value | None]]:
    emit = rows.emit
    wide = I64 if grid.n_in * (grid.n_out + 1) + grid.n_out >= 2**31 else I32
    number = rows.do(Mul(), rows.count(wide), grid.n_in)
    low = rows.do(FloorDivide(), number, grid.n_out)
    high = rows.do(FloorDivide(), rows.do(Add(), number, grid.n_in + grid.n_out - 1), grid.n_out)
    low, high = (emit(Cast(I32), v) if wide is I64 else v for v in (low, high))
    share = rows.do(Div(), 1.0, emit(Cast(dtype), emit(Sub(), high, low)))
    zero, last = emit(Splat(0.0, share.type)), rows.do(Sub(), high, 1)
    found: list[tuple[Value, Value | None]] = []
    for k in range(grid.longest_window):
        at = rows.do(Add(), low, k) if k else low
        found.append((emit(Minimum(), at, last), emit(Select(), emit(Less(), at, high), share, zero)))
    return found
