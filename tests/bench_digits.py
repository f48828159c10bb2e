"""Interleaved benchmark of the digits training step against the same network in hand-written channels-last MLX.

python -m tests.bench_digits        (not a test: prints the ratio of step times with its 95 % interval)
"""

import mlx.core as mx

import burngraph as bg
from burngraph.bench import interleave
from examples import digits
from tests.peers import digits_nhwc


def main() -> None:
    images, _, labels, _ = digits.data()
    params, state = digits.init()
    own_params, own_state = digits_nhwc.from_nchw(params, state)
    nchw, nhwc, target = mx.array(images[:64]), digits_nhwc.batch(images[:64]), mx.array(labels[:64])
    mx.eval(own_params, nchw, nhwc, target)
    step, compiled_peer = bg.compile(bg.value_and_grad(digits.loss, has_aux=True)), mx.compile(digits_nhwc.step)
    timings = interleave(
        {
            "burngraph, NCHW": lambda: step(params, state, nchw, target),
            "hand-written NHWC": lambda: mx.eval(digits_nhwc.step(own_params, own_state, nhwc, target)),
            "hand-written NHWC, mx.compile": lambda: mx.eval(compiled_peer(own_params, own_state, nhwc, target)),
        },
        rounds=100,
        warmup=5,
    )
    for t in timings:
        print(f"{t.name:32} {t.median_ms:7.2f} ms  ours / this {t.ratio:.3f}  [{t.ratio_low:.3f}, {t.ratio_high:.3f}]")


if __name__ == "__main__":
    main()
