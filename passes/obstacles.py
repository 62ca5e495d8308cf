"""What keeps two nodes out of one kernel: `fuse` decides with these words, `explain` tells them.

In the texts ``{n}`` is the node, ``{op}`` its op, ``{shape}`` its shape, ``{u}`` who reads it
(``{uop}``, ``{ushape}``), ``{space}`` the elements the reader's kernel works on.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import Shape
from graphc.ir.journal import Journal
from graphc.ir.node import Node, shape_text

__all__ = ["OBSTACLES", "say"]

#: Word: (why the node is not in the kernel of its reader, the smallest change that alters it).
OBSTACLES: dict[str, tuple[str, str]] = {
    "closed": (
        "{u} ({uop}) is an op with a kernel of its own, which takes its operands from memory",
        "compute {u} with elementwise ops, reductions or slices, which fuse",
    ),
    "alias": (
        "{u} gives the same memory another shape, so {n} is in memory first",
        "do the elementwise work on one side of the reshape",
    ),
    "limit": (
        "the kernel of {u} has as many nodes as a kernel may have (graphc.passes.groups.LIMIT)",
        "cut the expression where a value is small, for instance after a reduction",
    ),
    "buffers": (
        "the kernel of {u} writes as many results as a kernel may write",
        "fetch fewer values in one run",
    ),
    "alone": (
        "{n} ({op}) is an op with a kernel of its own",
        "compute it with elementwise ops, reductions or slices, which fuse",
    ),
    "depth": (
        "{n} is in the kernel of another of its readers, which runs earlier; {u} reads what that"
        " kernel stores",
        "record {n} a second time, for {u}, with graphc_passes_off=['cse']",
    ),
    # ---- matrix products and convolutions
    "product reduction": (
        "{u} is in a kernel that reduces; behind a matrix product its kernel holds elementwise ops"
        " of the product's shape only",
        "reduce the operands first, where the algebra allows it: the sum over columns of a @ b is"
        " a @ (the sum over columns of b)",
    ),
    "product product": (
        "the kernel of {u} has a matrix product of its own",
        "",
    ),
    "product view": (
        "the kernel of {u} reads through an index map (a slice, a transpose, a pad), and behind a"
        " matrix product each element is finished where it is made",
        "take the slice or the transpose of the product's operands instead",
    ),
    "product shape": (
        "{u} has the shape [{ushape}], the product [{shape}]; what comes behind a matrix product"
        " in its kernel has the product's shape",
        "give {u} the product's shape: do what is of another shape afterwards",
    ),
    "product user": (
        "{u} ({uop}) is not elementwise, as all that comes behind a matrix product in its kernel",
        "put elementwise work directly behind the product, before {u}",
    ),
    "product check": (
        "an op in the kernel of {u} makes the run fail for some numbers, which the kernel of a"
        " matrix product cannot look for",
        "leave out the check, or run it apart",
    ),
    "epilogue check": (
        "{n} ({op}) makes the run fail for some numbers, which the kernel of a matrix product"
        " cannot look for",
        "leave out the check, or run it apart",
    ),
    "no reader": (
        "nothing in this run reads {n}, so nothing can come behind it in its kernel",
        "fetch what is computed of it instead",
    ),
    "operand": (
        "{n} is an operand of the matrix product {u}, which takes its operands from memory: each"
        " element is read many times",
        "apply {op} after the product, where the algebra allows it",
    ),
    "epilogue op": (
        "{n} ({op}) is not elementwise; what a matrix product's kernel computes besides the"
        " product is",
        "",
    ),
    "epilogue shape": (
        "{n} has the shape [{shape}], the matrix product in the kernel of {u} [{space}]",
        "give {n} the product's shape",
    ),
    "product batch": (
        "something behind {u} in its kernel has an operand that is broadcast over some axes of the"
        " product's batch only, and the kernel of a matrix product has one axis for the batch",
        "tile the operand over the whole batch, or give it size 1 in all of it",
    ),
    "epilogue batch": (
        "{n} has an operand that is broadcast over some axes of the batch of the matrix product in"
        " the kernel of {u} only, and that kernel has one axis for the batch",
        "tile the operand over the whole batch, or give it size 1 in all of it",
    ),
    "two sums": (
        "{n} and {u} each finish a matrix product, and a kernel holds one product",
        "",
    ),
    # ---- index maps
    "view stored": (
        "{u} ({uop}) reads {n} at other places than where it is computed, and {n} is wanted"
        " elsewhere too, so it is stored once",
        "let nothing but {u} read {n}: do not fetch it in the same run",
    ),
    "view computed": (
        "{u} ({uop}) reads {n} at other places than where it is computed, so {n} is in memory"
        " first",
        "apply {uop} to the operands of {n} instead of {n}",
    ),
    "view heavy": (
        "{n} ({op}) takes many instructions for an element, and {u} would repeat them",
        "",
    ),
    "view rows": (
        "{n} ({op}) is an index map of another shape than the rows of the kernel of {u}",
        "give {n} the shape [{space}]",
    ),
    "parts": (
        "{n} puts many tensors side by side: loops that store each in its place are quicker than"
        " choosing one of them at each element that the kernel of {u} reduces",
        "reduce the operands of {n} and put the results side by side",
    ),
    "rows read": (
        "{n} copies many tensors one after another, which is quicker than choosing one of them at"
        " each element in the kernel of {u}",
        "apply {uop} to the operands of {n} and put the results side by side",
    ),
    "rows made": (
        "the tensors that {u} puts one behind the other are copied by one code, so {n} is in memory"
        " first",
        "",
    ),
    # ---- reductions
    "reduction view": (
        "the kernel of {u} reads through an index map (a slice, a transpose, a pad), which does"
        " not go together with the reduction {n}",
        "take the slice or the transpose of what {n} reduces instead",
    ),
    "reduction product": (
        "the kernel of {u} has a matrix product, and {n} is a reduction",
        "",
    ),
    "axes": (
        "{n} ({op}) reduces over other axes than the kernel of {u} does",
        "reduce over the same axes",
    ),
    "keepdims": (
        "{n} has lost the axes it reduces over, and {u} works on the full shape [{space}]",
        "reduce with keepdims=True",
    ),
    "rows": (
        "{n} has one number a row, without the reduced axes, and {u} reads it together with whole"
        " rows",
        "reduce with keepdims=True",
    ),
    "reduction user": (
        "{u} ({uop}) does not read the reduction {n} element by element",
        "put elementwise work directly behind {n}, before {u}",
    ),
    "space": (
        "{n} has the elements [{shape}], and the kernel of {u} works on [{space}]",
        "give {n} and {u} the same shape",
    ),
    # ---- computing a value again in each kernel that reads it
    "again cost": (
        "computing {n} again in each kernel that reads it takes more instructions than loading it"
        " (graphc.passes.fuse.RECOMPUTE)",
        "",
    ),
    "again op": (
        "{n} is not made of elementwise work alone, so it is not computed again in each kernel"
        " that reads it",
        "",
    ),
    "again place": (
        "not all kernels that read {n} could compute it again: one works on other elements, reads"
        " through an index map, or is full",
        "give {n} and its readers the same shape",
    ),
    "again loads": (
        "computing {n} again would load more values than it saves",
        "",
    ),
    "again done": (
        "{u}, which reads {n}, is computed again in each kernel that reads it, as that takes less"
        " than loading it; {n} is stored once for them all",
        "",
    ),
    # ---- several readers
    "apart": (
        "its readers are in kernels that cannot be one: they work on other elements, reduce over"
        " other axes, or have more than elementwise work",
        "let {u} and the other readers have one shape, or record {n} once for each of them, with"
        " graphc_passes_off=['cse']",
    ),
    "apart limit": (
        "its readers are in kernels that together have more nodes than a kernel may have"
        " (graphc.passes.groups.LIMIT)",
        "",
    ),
}


def say(log: Journal, word: str, n: Node, users: Sequence[Node], space: Shape | None) -> None:
    """Write down that `n` is not in the kernel of `users`."""
    text, remedy = OBSTACLES[word]
    u = users[0] if users else n
    words = {
        "n": repr(n.name), "op": n.op.name, "shape": _shape(n), "u": repr(u.name),
        "uop": u.op.name, "ushape": _shape(u), "space": shape_text(space),
    }  # fmt: skip
    family = n.op.family
    kind = "epilogue" if family in ("contraction", "convolution") else "fuse"
    log.because(kind, (n, *users), text.format(**words), remedy.format(**words))


def _shape(n: Node) -> str:
    return shape_text(n.outputs[0].static_shape) if n.outputs else ""
