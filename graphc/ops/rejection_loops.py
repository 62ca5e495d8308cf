"""Numbers drawn by rejection in native code: ops that the host runs on arrays."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, Op, Types

__all__ = ["LARGE", "OWN", "RESULTS", "gamma_numbers_op", "poisson_numbers_op"]

#: Results of a unit.
RESULTS = 64
#: Blocks from a result's stream to that of the next.
OWN = 256
#: Rates from which on Poisson numbers are transformed uniform ones, and no products of them.
LARGE = 10.0


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(dtypes.float64, inputs[1].static_shape)]


def _lower(n: Node, s: Site) -> None:
    """One result for each parameter, of the type float64; operands between are single numbers."""
    shape = n.inputs[1].static_shape
    assert shape is not None
    (count,) = shape
    k = KernelBuilder(n.op.name)
    operands = [k.input(f"x{i}", v.dtype, v.static_shape or ()) for i, v in enumerate(n.inputs)]
    y = k.output("y", dtypes.float64, (count,))
    with k.loop("parallel", "u", D.ceildiv(count, RESULTS)) as u:
        k.template(n.op.facts["template"], [*operands, y], (u, count))
    s.step(k.build(), [*(s.input(i) for i in range(len(n.inputs))), s.output()])


def _numbers(name: str, *args: str) -> Op:
    return Op(
        name=f"{name.lower()}_numbers", tf=f"{name}Numbers", family="structured",
        doc=f"Numbers of the {name} distribution; streams follow each other from a state on.",
        args=("state", *args), types="fi", infer=_infer, lower=_lower,
        facts={"template": f"philox_{name.lower()}"},
    )  # fmt: skip


gamma_numbers_op = _numbers("Gamma", "alphas")
poisson_numbers_op = _numbers("Poisson", "rates", "most")
