"""Short-time Fourier transforms: the spectrum of each of many overlapping, windowed frames of a signal, and back."""

import math
import operator
from typing import Any

from burngraph.errors import DTypeError, ShapeError
from burngraph.frontend.fft import fft, irfft, rfft
from burngraph.frontend.functional.comparison import greater, where
from burngraph.frontend.functional.creation import arange, ones
from burngraph.frontend.functional.elementwise import add, divide, multiply, square
from burngraph.frontend.functional.fourier import is_complex
from burngraph.frontend.functional.indexing import take
from burngraph.frontend.functional.padding import pad
from burngraph.frontend.functional.shape import astype, broadcast_to, expand_dims, sliced, swapaxes, tensor
from burngraph.frontend.recording import apply, located, type_of
from burngraph.ir.ops.index import AddAt
from burngraph.ir.types import C64, F32, F64

__all__ = ["istft", "stft"]


def stft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool = True,
) -> Any:
    """The Fourier transform of each frame of n_fft entries, hop_length apart, times the window.

    input        [..., T], real
    hop_length   n_fft // 4 if None
    window       [win_length], put in the middle of n_fft zeros; ones if None
    win_length   n_fft if None
    center       frame t is centred on entry t * hop_length, the signal being padded with n_fft // 2 entries in pad_mode
    normalized   divide by sqrt(n_fft)
    onesided     only the first n_fft // 2 + 1 frequencies
    returns      c64[..., frequencies, frames], frames = 1 + (T' - n_fft) // hop_length, T' the length with its padding

    Raises   ShapeError   n_fft, hop_length or window do not fit;   DTypeError   input is complex
    """
    x = tensor(input)
    if is_complex(x):
        raise located(DTypeError(f"stft: input is {type_of(x)}, not real"))
    x = x if type_of(x).dtype is F64 else astype(x, F32)
    n_fft = operator.index(n_fft)
    hop, shape = _checked_hop("stft", n_fft, hop_length), _window("stft", n_fft, win_length, window)
    if not type_of(x).rank:
        raise located(ShapeError(f"stft: input is {type_of(x)}, has no axis of time"))
    if center:
        x = pad(x, [*((0, 0),) * (type_of(x).rank - 1), (n_fft // 2, n_fft // 2)], mode=pad_mode)
    length = type_of(x).shape[-1]
    if length < n_fft:
        raise located(ShapeError(f"stft: n_fft = {n_fft} is longer than the signal with its padding, {length}"))
    frames = take(x, _places(1 + (length - n_fft) // hop, n_fft, hop), axis=-1)
    spectrum = (rfft if onesided else fft)(multiply(frames, shape))
    spectrum = multiply(spectrum, n_fft**-0.5) if normalized else spectrum
    return swapaxes(spectrum, -1, -2)


def istft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool = True,
    length: int | None = None,
) -> Any:
    """The signal whose stft is nearest to `input`: windowed frames added up, divided by the windows' squares added up.

    input     c64[..., frequencies, frames], of which the first n_fft // 2 + 1 frequencies are read
    others    as they were given to stft
    length    of the result, cut or padded with zeros; if None, as far as the frames go
    returns   f32[..., T]; 0 where no window reaches

    Raises    ShapeError   n_fft, hop_length or window do not fit
    """
    spectrum = astype(input, C64)
    n_fft = operator.index(n_fft)
    hop, shape = _checked_hop("istft", n_fft, hop_length), _window("istft", n_fft, win_length, window)
    type = type_of(spectrum)
    bins = n_fft // 2 + 1 if onesided else n_fft
    if type.rank < 2 or type.shape[-2] != bins or type.shape[-1] == 0:
        raise located(ShapeError(f"istft: input is {type}, must be [..., {bins} frequencies, frames]", f"n_fft: {n_fft}"))
    spectrum = swapaxes(spectrum, -1, -2)
    spectrum = multiply(spectrum, math.sqrt(n_fft)) if normalized else spectrum
    frames = irfft(spectrum, n_fft)
    shape = astype(shape, F32)
    total, size = _overlapped(multiply(frames, shape), hop), type_of(frames).shape[-2:]
    weight = _overlapped(broadcast_to(square(shape), size), hop)
    reached = greater(weight, 1e-11)
    signal = where(reached, divide(total, where(reached, weight, 1.0)), 0.0)
    start = n_fft // 2 if center else 0
    *batch, whole = type_of(signal).shape
    stop = max(whole - start, start) if length is None else min(start + length, whole)
    signal = sliced(signal, [0] * len(batch) + [start], [*batch, stop], [1] * (len(batch) + 1))
    missing = 0 if length is None else length - (stop - start)
    return pad(signal, [*((0, 0),) * len(batch), (0, missing)])


def _checked_hop(name: str, n_fft: int, hop_length: int | None) -> int:
    hop = n_fft // 4 if hop_length is None else hop_length
    if n_fft < 1 or hop < 1:
        raise located(ShapeError(f"{name}: n_fft = {n_fft} and hop_length = {hop} must be at least 1"))
    return hop


def _window(name: str, n_fft: int, win_length: int | None, window: Any) -> Any:
    """The window in the middle of n_fft zeros."""
    size = n_fft if win_length is None else win_length
    window = ones((size,)) if window is None else tensor(window)
    if type_of(window).shape != (size,) or not 0 < size <= n_fft:
        raise located(
            ShapeError(f"{name}: window is {type_of(window)}, must have win_length = {size} entries, at most {n_fft}")
        )
    low = (n_fft - size) // 2
    return pad(window, [(low, n_fft - size - low)])


def _places(n_frames: int, n_fft: int, hop: int) -> Any:
    """Where in the signal each entry of each frame is, i32[frames, n_fft]."""
    return add(expand_dims(multiply(arange(n_frames), hop), 1), arange(n_fft))


def _overlapped(frames: Any, hop: int) -> Any:
    """Frames [..., frames, n] added up where they overlap, as one scatter: folding would take n additions."""
    *batch, n_frames, n = type_of(frames).shape
    return apply(AddAt(len(batch), (n_frames - 1) * hop + n), frames, _places(n_frames, n, hop))
