"""What the passes do to loops: work that repeats moves out, permutes too, and the body is simplified like any graph."""

import numpy as np
import pytest

from burngraph.errors import ParseError
from burngraph.ir.interpret import run
from burngraph.ir.ops.control_hoist import hoist_invariants
from burngraph.ir.permute_graph import permuted_bytes
from burngraph.ir.text import parse
from burngraph.ir.verify import verify
from burngraph.passes.lift_permutes import lift_permutes
from burngraph.passes.pipeline import run_pipeline

LOOP = """graph @f(%h: f32[2,3], %w: f32[3,2], %xs: f32[5,3,2]) -> (f32[2,3], f32[5,2,3]) {
  %0, %1: (f32[2,3], f32[5,2,3]) = scan(%w, %h, %xs, n_constants=1, n_carry=1, length=5,
      body=graph @step(%w: f32[3,2], %h: f32[2,3], %x: f32[3,2]) -> (f32[2,3], f32[2,3]) {
    %0: f32[3,2] = exp(%w)
    %1: f32[3,2] = mul(%x, %0)
    %2: f32[3,2] = permute(%h, axes=[1,0])
    %3: f32[3,2] = add(%1, %2)
    %4: f32[3,2] = tanh(%3)
    %5: f32[2,3] = permute(%4, axes=[1,0])
    return %5, %5
  })
  return %0, %1
}"""


def same_results(before, after) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=p.shape).astype("float32") for p in before.params]
    for a, b in zip(run(before, *arrays), run(verify(after), *arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_work_on_constants_is_done_once():
    before = parse(LOOP)
    after = hoist_invariants(before)
    same_results(before, after)
    assert [node.op.name for node in after.nodes] == ["exp", "scan"]
    assert len(after.nodes[1].operands) == 3  # %w itself is no operand any more
    assert hoist_invariants(after) == after


def test_permutes_are_lifted_out():
    before = parse(LOOP)
    after = lift_permutes(before)
    same_results(before, after)
    assert permuted_bytes(before) == 2 * 24
    (scan,) = [node.op for node in after.nodes if node.op.name == "scan"]
    assert permuted_bytes(scan.body) == 0
    assert lift_permutes(after) == after


@pytest.mark.parametrize("length", [0, 1])
def test_a_loop_too_short_to_pay_for_permutes_around_it_is_left_alone(length):
    before = parse(LOOP.replace("length=5", f"length={length}").replace("[5,", f"[{length},"))
    assert lift_permutes(before) == before


def test_the_pipeline_works_inside():
    before = parse(LOOP.replace("%4: f32[3,2] = tanh(%3)", "%z: f32[3,2] = splat(value=1.0)\n%4: f32[3,2] = mul(%3, %z)"))
    after = run_pipeline(before)[-1][1]
    same_results(before, after)
    (scan,) = [node.op for node in after.nodes if node.op.name == "scan"]
    assert [node.op.name for node in scan.body.nodes] == ["mul", "add"]


def test_weights_leave_branches_but_work_stays_in_them():
    graph = parse("""graph @f(%p: bool[], %x: f32[2]) -> f32[2] {
      %0: f32[2] = cond(%p, %x, on_true=graph @a(%x: f32[2]) -> f32[2] {
        %w: f32[2] = weight(key="w")
        %0: f32[2] = exp(%w)
        %1: f32[2] = mul(%0, %x)
        return %1
      }, on_false=graph @b(%x: f32[2]) -> f32[2] {
        return %x
      })
      return %0
    }""")
    after = hoist_invariants(graph)
    assert [node.op.name for node in verify(after).nodes] == ["weight", "cond"]
    (x,) = run(after, np.asarray(True), np.ones(2, np.float32), weights={"w": np.zeros(2, np.float32)})
    assert x.tolist() == [1.0, 1.0]


BAD = [
    ("length=5", "length=4", "every x must have 4 entries along axis 0"),
    ("n_carry=1", "n_carry=0", "every x must have 5 entries"),
    ("n_constants=1", "n_constants=-1", "-1 constants"),
    ("n_constants=1", "n_constants=7", "7 constants"),
    ("return %5, %5", "return %x, %5", "declared"),
    ("  })", "  }, linear=[1,9])", r"linear=\[1, 9\] are not ascending positions among 3 operands"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_text_of_a_loop_that_does_not_fit_is_refused(old, new, message):
    with pytest.raises(ParseError, match=message):
        parse(LOOP.replace(old, new))
