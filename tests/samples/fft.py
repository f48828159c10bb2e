"""Samples of complex numbers and Fourier transforms: odd, even and single sizes, axes in any place."""

from burngraph.ir.ops import complex as c
from burngraph.ir.ops.fft import Fft, Irfft, Rfft
from tests.samples import Sample, t

SAMPLES = [
    *(Sample(op(), (t(shape),)) for op in (c.Real, c.Imag, c.Conj, c.Modulus) for shape in ("c64[2,3,4]", "c64[]", "c64[0,2]")),
    Sample(c.Complex(), (t("f32[2,3,4]"),) * 2),
    Sample(c.Complex(), (t("f32[]"),) * 2),
    Sample(c.Complex(), (t("f32[2,0]"),) * 2),
    Sample(c.Complex(), (t("f64[3]"),) * 2),
    Sample(Fft((1,), False), (t("c64[2,3,4]"),)),
    Sample(Fft((0, 2), True), (t("c64[2,3,4]"),)),
    Sample(Fft((0, 1), False), (t("c64[5,7]"),)),
    Sample(Fft((), False), (t("c64[]"),)),
    Sample(Fft((1,), True), (t("c64[0,3]"),)),
    Sample(Rfft(1), (t("f32[2,3,4]"),)),
    Sample(Rfft(2), (t("f32[2,3,4]"),)),
    Sample(Rfft(0), (t("f32[7]"),)),
    Sample(Rfft(0), (t("f64[6]"),)),
    Sample(Rfft(0), (t("f32[1]"),)),
    Sample(Rfft(1), (t("f32[0,2]"),)),
    Sample(Irfft(1, 4), (t("c64[2,3,4]"),)),
    Sample(Irfft(1, 5), (t("c64[2,3,4]"),)),
    Sample(Irfft(0, 3), (t("c64[2]"),)),
    Sample(Irfft(0, 1), (t("c64[1]"),)),
    Sample(Irfft(0, 2), (t("c64[2]"),)),
    Sample(Irfft(1, 2), (t("c64[0,2]"),)),
]
