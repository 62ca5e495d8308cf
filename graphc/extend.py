"""What is added to graphc from outside: ops, rules and passes of one's own.

An op is one record: its meaning in numpy, its gradient, its native form. A rule is two expressions.
A pass is a function from graph to graph, and a session names it in its pipeline. Each is treated as
graphc's own: dumps and reports show it by its name. What is made again under a name takes the place
of the former. An op of the same code, as when a cell of a notebook runs twice, is the same op; of
other code it is a new one, and graphs from before keep the former, as ``name_1`` (``name_2``, ...).

Gradients of one's own need nothing from here: `graphc.custom_gradient`, `graphc.RegisterGradient`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from graphc.face import guards
from graphc.ir import build, dims, dtypes
from graphc.ir.dtypes import DType
from graphc.ir.fingerprint import fingerprint
from graphc.ir.graph import Graph, copy
from graphc.ir.kernel import lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value, reachable
from graphc.ir.registry import FOREIGN, SCALARS
from graphc.ops import record
from graphc.ops.record import OPS, Attrs, Infer, Op, Types
from graphc.passes import rewrite
from graphc.passes.pattern import ops, pattern_text, wildcard
from graphc.passes.pipeline import LEVELS, PASSES, named, of_level, pipeline, register
from graphc.passes.rewrite import LICENCES, RULES, Rule

__all__ = [
    "LEVELS", "LICENCES", "Graph", "KernelBuilder", "Node", "Op", "Rule", "Value", "attribute",
    "constant", "copy", "dims", "elementwise", "forget", "graph_pass", "lit", "no_gradient", "op",
    "ops", "passes", "rule",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

#: What was made here: names of ops and passes, and rules by name.
_ops: dict[str, Op] = {}
_passes: dict[str, Callable[..., Graph]] = {}
_rules: dict[str, Rule] = {}
#: The last op of each name, even when it was forgotten, and the code of every op made here.
_last: dict[str, Op] = {}
_codes: dict[Op, str] = {}
#: The code of `SCALARS` by their names.
_emitted: dict[str, str] = {}


# ------------------------------------------------------------------------- ops


def elementwise(
    name: str,
    *,
    numpy: Callable[..., Any],
    scalar: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    args: Sequence[str] = ("x",),
    types: str = "f",
    doc: str = "",
    type: str = "",
) -> Op:
    """An op on each element: it broadcasts, and joins the kernels of its neighbours.

    Parameters
    ----------
    name : str
        Its name in dumps.
    numpy : callable
        ``(*arrays) -> array``: its meaning. Constants are folded with it, tests compare with it.
    scalar : callable
        ``(k, *values) -> value``: one element, or a vector of them. The values have Python's
        operators; `k` has what `graphc.runtime.llvm.arithmetic` and `vmath` define: ``k.exp(x)``,
        ``k.select(c, x, y)``, ``k.like(1.0, x)``.
    grad : callable, optional
        ``(y, dy, *inputs) -> gradient or tuple`` (None for an operand that gets none), in graphc's
        functions. Without it a gradient that is asked for raises LookupError; `no_gradient` says
        that there is none.
    args : sequence of str
        Names of the operands.
    types : str
        Kinds of element type that it takes: letters of f, i, u, b.
    doc : str
        One sentence.
    type : str, optional
        The type of its operations, from which they are named; by default ``name`` in camel case.

    Returns
    -------
    Op
        The record, which is also the function that users call, with a last argument ``name``.

    Examples
    --------
    >>> import graphc as tf
    >>> cube = tf.extend.elementwise(
    ...     "cube", numpy=lambda x: x * x * x, scalar=lambda k, x: x * x * x,
    ...     grad=lambda y, dy, x: dy * 3.0 * x * x,
    ... )
    >>> x = tf.constant([1.0, 2.0])
    >>> with tf.Session() as sess:
    ...     print(sess.run([cube(x), tf.gradients(cube(x), x)[0]]))
    [array([1., 8.], dtype=float32), array([ 3., 12.], dtype=float32)]
    >>> tf.extend.forget(cube)
    """
    code = fingerprint("elementwise", numpy, scalar, grad, tuple(args), types, type)
    same = _free(name, code, doc)
    if same is not None:
        return same
    known_as = _kernel_name(name, scalar)
    emit = SCALARS[known_as] = guards.scalar(name, scalar)
    made = record.elementwise(
        name, type or _camel(name), doc, numpy=numpy, scalar=emit, args=tuple(args), types=types,
        facts={"no_gradient_error": True, "users": True, "in_kernels": known_as},
    )  # fmt: skip
    return _entered(made, grad, code)


def op(
    name: str,
    *,
    numpy: Callable[..., Any],
    args: Sequence[str] = ("x",),
    attrs: Mapping[str, Any] | None = None,
    infer: Infer | None = None,
    grad: Callable[..., Any] | None = None,
    lower: Callable[[Node, Any], None] | None = None,
    expand: Callable[..., Any] | None = None,
    element: Callable[..., Any] | None = None,
    types: str = "f",
    stateful: bool = False,
    doc: str = "",
    type: str = "",
) -> Op:
    """An op of any shape: with loops of its own, made of other ops, or in Python.

    Parameters
    ----------
    name : str
        Its name in dumps.
    numpy : callable
        ``(*arrays, **attrs) -> array or tuple``: its meaning.
    args : sequence of str
        Names of the operands, which are of one element type.
    attrs : mapping, optional
        Attributes with their defaults: arguments by keyword whose values are known when the graph
        is built (numbers, text, tuples of them).
    infer : callable, optional
        ``(inputs, attrs) -> [(dtype, shape), ...]``: types of the results; a shape is
        `Value.static_shape` (sizes may be symbols) or None. By default that of the first operand.
    grad : callable, optional
        ``(y, dy, *inputs, **attrs) -> gradient or tuple``, in graphc's functions.
    lower : callable, optional
        ``(node, site)``: builds loops with a `KernelBuilder`; ``site.step(kernel, buffers)`` runs
        them on ``site.input(i)``, ``site.output(i)`` and ``site.temp(dtype, n)``.
    expand : callable, optional
        ``(*inputs, **attrs) -> value or tuple``: the same in simpler ops.
    element : callable, optional
        ``(k, index, *readers, **attrs)``: for ops that only move elements, the element at an
        output's index.
    types : str
        Kinds of element type that it takes: letters of f, i, u, b, s.
    stateful : bool
        Whether two equal applications may differ: they are then neither merged nor folded.
    doc, type : str
        As for `elementwise`.

    Returns
    -------
    Op
        The record, which is also the function that users call. With none of `lower`, `expand` and
        `element`, `numpy` itself runs on the host, between native parts of a run.

    Raises
    ------
    ValueError
        When more than one of the native forms is given.

    Examples
    --------
    >>> import numpy as np
    >>> import graphc as tf
    >>> power_sum = tf.extend.op(
    ...     "power_sum", attrs={"n": 2}, infer=lambda inputs, attrs: [(inputs[0].dtype, ())],
    ...     numpy=lambda x, n: np.sum(x ** n), expand=lambda x, n: tf.reduce_sum(x ** float(n)),
    ...     grad=lambda y, dy, x, n: dy * n * x ** (n - 1.0),
    ... )
    >>> with tf.Session() as sess:
    ...     print(sess.run(power_sum([1.0, 2.0], n=3)))
    9.0
    >>> tf.extend.forget(power_sum)
    """
    forms = {"structured": lower, "composite": expand, "view": element}
    given = [family for family, f in forms.items() if f is not None]
    if len(given) > 1:
        raise ValueError(f"op {name!r}: give one of lower, expand and element, not {len(given)}")
    code = fingerprint(
        "op", numpy, tuple(args), dict(attrs or {}), infer, grad, lower, expand, element, types,
        stateful, type,
    )  # fmt: skip
    same = _free(name, code, doc)
    if same is not None:
        return same
    made = record.op(
        name, type or _camel(name), given[0] if given else "host", doc=doc, args=tuple(args),
        infer=infer or _as_first, numpy=record.quiet(numpy), element=element, types=types,
        stateful=stateful, facts={"no_gradient_error": True, "users": True},
    )  # fmt: skip
    if lower is not None:
        made.lower = guards.lowering(name, lower)
    elif expand is not None:
        made.expand = guards.expanding(made, expand)
    elif element is None:
        made.host = lambda context, *arrays, **attrs: numpy(*arrays, **attrs)
    made.call = _function(made, dict(attrs or {}))
    return _entered(made, grad, code)


def no_gradient(y: Any, dy: Any, *inputs: Any, **attrs: Any) -> Any:
    """As `grad` of an op: it is not differentiable, gradients stop there.

    An op without `grad` raises LookupError where a gradient is asked for.
    """
    return (None,) * len(inputs)


def _entered(made: Op, grad: Callable[..., Any] | None, code: str) -> Op:
    if grad is not None:
        made.grad = guards.gradient(made, grad)
    FOREIGN.add(made.name)
    _ops[made.name] = _last[made.name] = made
    _codes[made] = code
    return made


def _as_first(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, inputs[0].static_shape)]


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _free(name: str, code: str, doc: str) -> Op | None:
    """The user's op of this name if its code is the same; else the name is made free."""
    if not name.isidentifier():
        raise ValueError(f"an op needs a name that Python could have, not {name!r}")
    if name in OPS and name not in _ops:
        raise ValueError(f"there is an op {name!r} already")
    former = _last.get(name)
    if former is not None and name in _ops and _codes[former] == code:
        former.doc = doc
        return former
    if former is not None:
        _rename(former)
    return None


def _rename(former: Op) -> None:
    """An op that is replaced gets another name, which the graphs that have it show."""
    name, k = former.name, 1
    while f"{name}_{k}" in OPS or f"{name}_{k}" in _last:
        k += 1
    known = _ops.pop(name, None) is not None
    former.name = f"{name}_{k}"
    _last[former.name] = _last.pop(name)
    if known:  # else it was forgotten
        del OPS[name]
        OPS[former.name] = _ops[former.name] = former


def _kernel_name(name: str, scalar: Callable[..., Any]) -> str:
    """What kernels call an op: other code, another name, for good."""
    code, k, out = fingerprint(scalar), 1, name
    while _emitted.get(out, code) != code or (k > 1 and out in OPS and out not in _emitted):
        k += 1
        out = f"{name}_{k}"
    _emitted[out] = code
    return out


def _function(made: Op, defaults: Mapping[str, Any]) -> Callable[..., Any]:
    """What users call: operands, attributes, a name."""
    P = inspect.Parameter
    params = [P(a, P.POSITIONAL_OR_KEYWORD) for a in made.args]
    params += [P(a, P.KEYWORD_ONLY, default=d) for a, d in defaults.items()]
    signature = inspect.Signature([*params, P("name", P.KEYWORD_ONLY, default=None)])

    def call(*values: Any, **named: Any) -> Any:
        bound = signature.bind(*values, **named)
        bound.apply_defaults()
        given = bound.arguments
        attrs = {a: _static(given[a]) for a in defaults}
        operands = [given[a] for a in made.args]
        convert = record.operands if operands else _nothing
        outputs = record.apply(made, operands, attrs, given["name"], convert).outputs
        return outputs[0] if len(outputs) == 1 else outputs

    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__name__ = call.__qualname__ = made.name
    call.__doc__ = made.doc
    return call


def _nothing(made: Op, values: Sequence[Any]) -> list[Value]:
    return []


def _static(x: Any) -> Any:
    if isinstance(x, Value):
        raise TypeError(f"attributes are known when the graph is built, got the tensor {x!r}")
    if isinstance(x, list | tuple):
        return tuple(_static(e) for e in x)
    return x.item() if hasattr(x, "item") else x


# ------------------------------------------------------------------------- rules


class _Kind:
    """What a parameter of a rule's left side stands for, when it is not any value."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"graphc.extend.{self.name}"


#: As the default of a parameter of a rule: constants only.
constant: Any = _Kind("constant")
#: As the default of a parameter of a rule: an attribute, ``ops.transpose(x, perm=p)``.
attribute: Any = _Kind("attribute")


def rule(
    left: Callable[..., Value],
    right: Callable[..., Value | None],
    *,
    needs: str = "",
    kinds: str = "fiubs",
    when: Callable[..., bool] | None = None,
    name: str = "",
) -> Rule:
    """A rewrite for the pass `simplify`: what has the form `left` becomes `right`.

    Parameters
    ----------
    left : callable
        An expression of its parameters, each of which stands for any value, or, by its default,
        for something else: `constant` (constants only), `attribute` (an attribute, as in
        ``ops.transpose(x, perm=p)``), an element type (``p=tf.bool``). `ops` makes any op by name.
    right : callable
        What it becomes: an expression of some of the same parameters. If it has a parameter
        ``result``, the value that is replaced, it is called at each match with what was found there
        and may return None: then nothing is replaced.
    needs : str
        Names of `LICENCES`. Without any, the two sides must give the same bits for every operand.
    kinds : str
        Kinds of element type for which it holds: letters of f, i, u, b, s.
    when : callable, optional
        Of some of the same parameters (and ``result``): whether this match may be replaced.
    name : str, optional
        What dumps and reports call it; by default the left side as text.

    Returns
    -------
    Rule

    Raises
    ------
    ValueError
        For a licence there is not, for a right side that weighs no less than the left (rewriting
        might not end), for parameters that the left side does not have.

    Warns
    -----
    UserWarning
        Once, when a graph is compiled in which the right side has another type or shape than what
        it would replace: there the rule does not apply.

    Examples
    --------
    >>> import graphc as tf
    >>> r = tf.extend.rule(
    ...     lambda x, y: tf.exp(x) / tf.exp(y), lambda x, y: tf.exp(x - y),
    ...     needs="REASSOC NO_NAN", kinds="f",
    ... )
    >>> r.name
    'realdiv(exp(x), exp(y))'
    >>> a = tf.placeholder(tf.float32, [None], name="a")
    >>> b = tf.placeholder(tf.float32, [], name="b")
    >>> granted = tf.extend.passes(licences="REASSOC+NO_NAN")
    >>> print(tf.dump(tf.exp(a) / tf.exp(b), passes=granted, stage="simplify"))
    graph main(b) {
      %a = input {index=0} : f32[b]
      %b = input {index=1} : f32[]
      %truediv = subtract %a, %b : f32[b]
      %truediv.1 = exp %truediv : f32[b]
      return %truediv.1
    }
    >>> tf.extend.forget(r)
    """
    found = {p: _wild(p, kind) for p, kind in _parameters(left).items()}
    with build.use(build.Rewriter()):
        pattern = left(**found)
        if not isinstance(pattern, Value) or pattern.node.op is wildcard:
            raise ValueError("the left side of a rule is an expression of its parameters")
        unread = [p for p in found if p not in _leaves(pattern)]
        if unread:
            raise ValueError(f"the left side of a rule does not use its {', '.join(unread)}")
        made = _right(right, when, pattern, found, name or pattern_text(pattern))
    table: list[Rule] = []
    r = rewrite.rule(pattern, made, needs, kinds, table)
    r = replace(r, name=name or r.name, users=True)
    if r.name in _rules:
        forget(_rules[r.name])
    FOREIGN.add(r.name)
    RULES.append(r)
    _rules[r.name] = r
    return r


def _parameters(side: Callable[..., Any]) -> dict[str, Any]:
    """The parameters that stand for something, and for what; others keep their defaults."""
    found = {p: q.default for p, q in inspect.signature(side).parameters.items()}
    return {p: d for p, d in found.items() if isinstance(d, _Kind | DType) or d is inspect._empty}


def _wild(name: str, kind: Any) -> Any:
    if kind is attribute:
        return rewrite.any_of(name)
    if kind is constant:
        return rewrite.constant_wild(name)
    return rewrite.wild(name, kind if isinstance(kind, DType) else dtypes.float32)


def _right(
    right: Callable[..., Any], when: Callable[..., bool] | None, pattern: Value,
    found: Mapping[str, Any], name: str,
) -> Any:  # fmt: skip
    """The right side as a pattern, or as a function for each match."""
    takes = list(_parameters(right))
    asks = list(_parameters(when)) if when is not None else []
    strange = [p for p in [*takes, *asks] if p not in found and p != "result"]
    if strange:
        raise ValueError(
            f"{', '.join(strange)} on the right side, but the left side has "
            f"{', '.join(found) or 'nothing'}"
        )
    if "result" not in takes:
        made = record.as_value(right(**{p: found[p] for p in takes}))
        wild = [v for v in found.values() if isinstance(v, Value)]
        (made,) = guards.held(f"the rule {name!r}", [made], wild)
        _must_fit(pattern, made)
        if when is None:
            return made
    names = dict.fromkeys([*takes, *asks])

    def build_right(*values: Any) -> Value | None:
        given = dict(zip(names, values, strict=True))
        with guards.blamed(f"the rule {name!r}"):
            if when is not None and not when(**{p: given[p] for p in asks}):
                return None
            out = right(**{p: given[p] for p in takes})
            if out is None:
                return None
            held = [v for v in values if isinstance(v, Value)]
            return guards.held("the right side", [record.as_value(out)], held)[0]

    P = inspect.Parameter
    build_right.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [P(p, P.POSITIONAL_OR_KEYWORD) for p in names]
    )
    return build_right


def _leaves(pattern: Value) -> set[str]:
    """Names of the wildcards and captured attributes of an expression."""
    nodes = reachable([pattern.node])
    named = [a.name for n in nodes for a in n.attrs.values() if isinstance(a, rewrite.any_of)]
    return {n.attrs["name"] for n in nodes if n.op is wildcard}.union(named)


def _must_fit(left: Value, right: Value) -> None:
    """Refuse a rule that never applies, and one that could be applied without end."""
    if left.dtype is not right.dtype and "_partial" not in left.node.attrs:
        raise ValueError(
            f"the left side of a rule is {left.dtype.name}, the right side {right.dtype.name}"
        )
    try:
        before, after = rewrite.cost(left), rewrite.cost(right)
    except TypeError:
        return  # weights of some ops depend on attributes, which a pattern does not know
    if after >= before:
        raise ValueError(
            f"the right side of a rule must weigh less than the left ({after} against {before} by "
            "graphc.passes.rewrite.weight), or rewriting might not end; where it must not, give "
            "the right side a parameter `result`"
        )


# ------------------------------------------------------------------------- passes


def graph_pass(f: F | None = None, *, name: str = "") -> Any:
    """Enter a pass in the table, so that pipelines can name it; also a decorator.

    Parameters
    ----------
    f : callable
        ``(graph) -> graph``, normally one ``graph.rebuild(step)``; ``step(node, inputs)`` gets each
        node with its inputs already rebuilt and returns None to keep it, or what it becomes, built
        with graphc's functions. Graphs and nodes are never changed.
    name : str, optional
        By default the name of the function.

    Returns
    -------
    callable
        `f`.

    Raises
    ------
    ValueError
        For the name of a pass of graphc's, or one that a pipeline could not hold.

    Examples
    --------
    >>> import graphc as tf
    >>> @tf.extend.graph_pass
    ... def no_tanh(graph):
    ...     def step(node, inputs):
    ...         return tf.nn.softsign(*inputs) if node.op.name == "tanh" else None
    ...     return graph.rebuild(step)
    >>> x = tf.placeholder(tf.float32, [None])
    >>> config = tf.ConfigProto(graphc_passes=tf.extend.passes(before={"fuse": "no_tanh"}))
    >>> with tf.Session(config=config) as sess:
    ...     print(sess.run(tf.tanh(x), {x: [1.0, 3.0]}))
    [0.5  0.75]
    >>> tf.extend.forget(no_tanh)
    """
    if f is None:
        return lambda g: graph_pass(g, name=name)
    name = name or f.__name__
    if name in _passes:
        forget(_passes[name])
    register(name, guards.rewriting(name, f))
    _passes[name] = f
    return f


def passes(
    level: int = 2,
    *,
    before: Mapping[str, str | Sequence[str]] | None = None,
    after: Mapping[str, str | Sequence[str]] | None = None,
    licences: str = "",
    off: Iterable[str] = (),
) -> str:
    """The pipeline of a level with changes, as text for ``ConfigProto(graphc_passes=...)``.

    Parameters
    ----------
    level : int
        0, 1 or 2, see `LEVELS`.
    before, after : mapping, optional
        From a pass of the level to those that come before or after it. ``"fold"`` is its first
        time, ``"fold.2"`` its second, as in dumps.
    licences : str
        What rules may assume besides what is on by default, ``"REASSOC+NO_NAN"``: granted to
        the passes that use rules. With a minus, ``"-STABLER"``, it is taken away.
    off : iterable of str
        Passes to leave out.

    Raises
    ------
    ValueError
        For passes, places or licences that there are not.

    Examples
    --------
    >>> import graphc as tf
    >>> tf.extend.passes(1, after={"fold.2": "cse"}, off=["share"])
    'sizes,fold,expand,sizes,fold,cse,cse,fuse'
    """
    text = of_level(level)
    off = named(off)
    places = {**_lists(before, "before"), **_lists(after, "after")}
    out: list[str] = []
    count: dict[str, int] = {}
    for word in text.split(","):
        k = count[word] = count.get(word, 0) + 1
        keys = (word, f"{word}.1") if k == 1 else (f"{word}.{k}",)
        full = f"{word}:{licences}" if licences and word in _LICENSED else word
        for key in keys:
            out += places.pop(("before", key), ())
        out += [] if word in off else [full]
        for key in keys:
            out += places.pop(("after", key), ())
    if places:
        missing = ", ".join(key for _, key in places)
        raise ValueError(f"level {level} has no {missing}; it is {text}")
    return ",".join(pipeline(out, off=off))


#: The passes to which `passes` grants licences.
_LICENSED = frozenset({"stabilize", "simplify", "chain", "layout"})


def _lists(
    places: Mapping[str, str | Sequence[str]] | None, side: str
) -> dict[tuple[str, str], list[str]]:
    return {
        (side, key): [names] if isinstance(names, str) else list(names)
        for key, names in (places or {}).items()
    }


# ------------------------------------------------------------------------- undoing


def forget(*made: Any) -> None:
    """Take ops, rules and passes back: what `op`, `rule` and `graph_pass` returned, or names.

    Without arguments it is all that was made with this module.

    Graphs that were recorded with an op keep it, and compile as before.

    Raises
    ------
    KeyError
        For what was not made here.
    """
    tables: tuple[tuple[dict[str, Any], Callable[[str], object]], ...] = (
        (_ops, OPS.pop), (_passes, PASSES.pop), (_rules, _drop_rule),
    )  # fmt: skip
    for x in made or list({**_ops, **_passes, **_rules}):
        found = [(table, undo, k) for table, undo in tables for k, v in table.items()
                 if v is x or k == x]  # fmt: skip
        if not found:
            raise KeyError(f"{x!r} was not made with graphc.extend")
        for table, undo, name in found:
            undo(name)
            del table[name]


def _drop_rule(name: str) -> None:
    RULES.remove(_rules[name])
