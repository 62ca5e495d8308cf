"""``GraphDef`` messages as recorded operations.

A node that graphc wrote says exactly what it was (``_graphc``); one that TensorFlow wrote is looked
up in `graphc.graphdef.forms`. Either way it is checked as when a program records it, and a graph
that cannot be made leaves the one it was to join as it was.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.errors import OpError
from graphc.face.current import name_scope
from graphc.face.elements import Operation
from graphc.face.graph import Graph, get_default_graph
from graphc.graphdef import contexts, foreign, functions
from graphc.graphdef.arrays import ARRAYS
from graphc.graphdef.attributes import from_plain
from graphc.graphdef.calls import CALLS, call
from graphc.graphdef.forms import forms_by_type, load_records
from graphc.graphdef.frames import FLOW, Unstructured, source
from graphc.graphdef.nodes import SEVERAL
from graphc.graphdef.rebuild import Flow, Unshaped
from graphc.graphdef.single import SPECIAL, by_form
from graphc.graphdef.tables import table_of
from graphc.graphdef.training import TRAINING, train
from graphc.ir.build import build
from graphc.ir.dtypes import resource
from graphc.ir.node import Node, Value
from graphc.ir.region import Context, Loop
from graphc.ir.registry import OPS
from graphc.ops.convert import convert
from graphc.proto import message

__all__ = ["import_graph_def", "import_nodes"]

#: Types that are parts of loops and conds.
_STRUCTURE = FLOW | ARRAYS | {"StackV2", "StackPushV2", "StackPopV2", "StackCloseV2"}

#: Limits of what is read (names, nodes): larger messages are no graphs.
_NODES, _NAME = 1_000_000, 1_000_000


#: What a message that is damaged, or does not fit its op, may end in.
_BAD = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, OpError)


class _Unknown(Exception):
    """A node that graphc has no op for; the text says what is missing."""


def import_graph_def(
    graph_def: Any,
    input_map: Mapping[Any, Any] | None = None,
    return_elements: Sequence[str] | None = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> list[Any] | None:
    """Add the nodes of a ``GraphDef`` message to the default graph.

    Parameters
    ----------
    graph_def : GraphDef
    input_map : dict, optional
        Name of an input in `graph_def` (``"x:0"``) → tensor to use in its place.
    return_elements : list of str, optional
        Names of operations or tensors to return.
    name : str, optional
        Put before all names: ``"import"`` by default, nothing for ``""``.
    op_dict, producer_op_list
        Accepted.

    Returns
    -------
    list of Operation and Tensor, or None
        Those of `return_elements`.

    Raises
    ------
    TypeError
        When an argument is of another type.
    ValueError
        When nodes are of types that graphc does not have (all are listed), inputs are missing, or
        names are taken. The default graph is then as before.
    """
    if not isinstance(graph_def, message("GraphDef")):
        raise TypeError("graph_def must be a GraphDef proto.")
    wanted = _names(return_elements)
    graph = get_default_graph()
    with graph.transaction():
        mapped = _mapping(input_map)
        with name_scope(name, "import", list(mapped.values())) as scope:
            made = import_nodes(graph_def, graph, scope, mapped, kept=wanted or ())
        return None if wanted is None else [_element(made, n) for n in wanted]


def _names(elements: Any) -> list[str] | None:
    if elements is None:
        return None
    if isinstance(elements, str | bytes) or not isinstance(elements, Iterable):
        raise TypeError("return_elements must be a list of strings.")
    out = [e.decode() if isinstance(e, bytes) else e for e in elements]
    if not all(isinstance(e, str) for e in out):
        raise TypeError("return_elements must be a list of strings.")
    return out


def _mapping(input_map: Any) -> dict[str, Value]:
    if input_map is None:
        return {}
    if not isinstance(input_map, Mapping):
        raise TypeError("input_map must be a dictionary mapping strings to Tensor objects.")
    out: dict[str, Value] = {}
    for key, value in input_map.items():
        key = key.decode() if isinstance(key, bytes) else key
        if not isinstance(key, str):
            raise TypeError("input_map must be a dictionary mapping strings to Tensor objects.")
        out[_canonical(key)] = convert(value, None, None)
    return out


def _canonical(key: str) -> str:
    return key if key.startswith("^") or ":" in key else key + ":0"


def _element(made: Mapping[str, Operation], name: str) -> Any:
    op_name, _, index = name.partition(":")
    op = made.get(op_name)
    if op is None:
        raise ValueError(f"Requested return_element {name!r} not found in graph_def.")
    if not index:
        return op
    if not index.isdigit() or int(index) >= len(op.outputs):
        raise ValueError(f"Requested return_element {name!r} not found in graph_def.")
    return op.outputs[int(index)]


# --------------------------------------------------------------------- all nodes


def import_nodes(
    graph_def: Any, graph: Graph, prefix: str, input_map: Mapping[str, Value],
    definitions: Mapping[str, Any] | None = None, kept: Iterable[str] = (),
) -> dict[str, Operation]:  # fmt: skip
    """Name in the message → operation made of it.

    Parameters
    ----------
    kept : names, optional
        Nodes to make though nothing needs them: constants of an export.
    definitions : dict, optional
        Type → ``OpDef``: nodes of types that graphc lacks become operations that only a run
        refuses. Without it they are refused here, all in one message.
    """
    if len(graph_def.node) > _NODES:
        raise ValueError(f"a graph of {len(graph_def.node)} nodes is beyond {_NODES}")
    return _Importer(graph_def, graph, prefix, input_map, definitions, kept).run()


def import_values(
    graph_def: Any, graph: Graph, prefix: str, input_map: Mapping[str, Value],
    definitions: Mapping[str, Any] | None, wanted: Sequence[str],
) -> list[Value]:  # fmt: skip
    """Make a function's nodes, of which not all inputs need be read; what has these names."""
    one = _Importer(graph_def, graph, prefix, input_map, definitions, wanted)
    one.used.update(input_map)
    one.current = graph.context
    one.run()
    if one.unknown:
        raise foreign.Lacking(min(one.unknown))
    return [one.result(text) for text in wanted]


class _Importer:
    def __init__(
        self, graph_def: Any, graph: Graph, prefix: str, input_map: Mapping[str, Value],
        definitions: Mapping[str, Any] | None, kept: Iterable[str],
    ) -> None:  # fmt: skip
        self.kept = {source(k) for k in kept}
        self.library = graph_def.library
        self.graph, self.prefix, self.input_map = graph, prefix, input_map
        self.definitions = definitions
        self.nodes: dict[str, Any] = {}
        for n in graph_def.node:
            if n.name in self.nodes:
                raise ValueError(f"Node '{n.name:.200}' is not unique")
            if len(n.name) > _NAME:
                raise ValueError(f"a name of {len(n.name)} characters")
            self.nodes[n.name] = n
        self.made: dict[str, Operation] = {}
        #: Outputs (``name:index``) that are values of other nodes than of that name.
        self.values: dict[str, Value] = {}
        #: Where the graph's own nodes go: a loop or a branch that is being recorded.
        self.home: Context | None = graph.context
        self.current: Context | None = self.home
        self.used: set[str] = set()
        self.symbols: dict[str, Any] = {}
        self.unknown: dict[str, list[str]] = {}
        self.exactly: dict[str, dict[str, Any] | None] = {}
        #: What is inside of constructs that graphc wrote, by name of the construct and key.
        self.contexts: dict[tuple[str, str], Context] = {}

    def run(self) -> dict[str, Operation]:
        with functions.within(self.library, self.definitions):
            return self._run()

    def _run(self) -> dict[str, Operation]:
        load_records()
        self.complete()
        left_out = self.beside()
        order = self.order(left_out)
        if self.definitions is None:
            self.check(order)
        if not any(n.op in FLOW and self.exact(n) is None for n in order):
            for n in order:
                self.record(n)
        else:
            self.structured(order)
        self.linked()
        # a node that nothing reads may be mapped, one that is not there may not
        unused = sorted(k for k in set(self.input_map) - self.used if not self.there(k))
        if unused:
            raise ValueError(
                f"Attempted to map inputs that were not found in graph_def: [{', '.join(unused)}]"
            )
        return self.made

    def there(self, key: str) -> bool:
        """Whether the graph has the output that `key` names (``name:index``)."""
        name, _, index = key.removeprefix("^").partition(":")
        if name not in self.made:
            return name in self.nodes
        return int(index or 0) < max(1, len(self.made[name].outputs))

    def record(self, n: Any) -> None:
        """Make one node, or what stands for it where that is allowed."""
        with self.graph.device(None):
            self.recorded(n)
        self.graph._set_device(self.made[n.name], n.device)

    def recorded(self, n: Any) -> None:
        try:
            self.made[n.name] = self.foreign(n, foreign.GIVEN) if self.given(n) else self.node(n)
        except (_Unknown, foreign.Lacking) as e:
            self.unknown.setdefault(str(e), []).append(n.name)
            if self.definitions is None:
                raise ValueError(_listing(self.unknown)) from None
            self.made[n.name] = self.foreign(n, str(e))

    def structured(self, order: Sequence[Any]) -> None:
        """Make a graph with control flow of TensorFlow's."""
        shapes: dict[tuple[str, int], Any] = {}
        done = False
        while not done:
            try:
                with self.graph.transaction(), self.graph.name_scope("import_flow"):
                    Flow(self, order, shapes).run()
                return
            except Unshaped:
                pass
            except (Unstructured, LookupError, AssertionError, RecursionError) as e:
                if self.definitions is None:
                    words = e if isinstance(e, Unstructured) else "it is damaged"
                    raise ValueError(f"graphc cannot import this control flow: {words}") from None
                done = True
            for held in (self.made, self.values, self.unknown):
                held.clear()
        for n in order:  # by name only, where it needs control flow
            self.record(n)

    @contextmanager
    def within(self, context: Context) -> Iterator[None]:
        """Nodes are made inside of a construct."""
        before, self.current = self.current, context
        try:
            with self.graph.inside(context):
                yield
        finally:
            self.current = before

    def is_mapped(self, text: str) -> bool:
        """Whether an input is given by the caller."""
        return _canonical(text) in self.input_map

    def result(self, text: str) -> Value:
        """The value of a name, which a node or the caller has given."""
        found = self.find(text)
        if found is None:
            raise ValueError(f"{text} is no tensor of the graph")
        return found

    def find(self, text: str) -> Value | None:
        """The value of an input; None where there is none: of arrays, stacks."""
        key = _canonical(text)
        if key in self.input_map:
            self.used.add(key)
            return self.input_map[key]
        if key in self.values:
            return self.values[key]
        name, _, index = key.partition(":")
        outputs = self.made[name].outputs if name in self.made else ()
        return outputs[int(index)] if int(index) < len(outputs) else None

    def check(self, order: Sequence[Any]) -> None:
        """Refuse a graph with all types that graphc lacks in one message."""
        for n in order:
            known = any(n.op in t for t in (forms_by_type(), SPECIAL, SEVERAL, TRAINING, CALLS))
            if self.exact(n) is None and not known and n.op not in _STRUCTURE:
                self.unknown.setdefault(n.op, []).append(n.name)
        if self.unknown:
            raise ValueError(_listing(self.unknown))

    def exact(self, n: Any) -> dict[str, Any] | None:
        """What graphc wrote of the node, where it is as it was written."""
        if "_graphc" not in n.attr:
            return None
        if n.name not in self.exactly:
            self.exactly[n.name] = self.read_exact(n)
        return self.exactly[n.name]

    def read_exact(self, n: Any) -> dict[str, Any] | None:
        try:
            found = json.loads(n.attr["_graphc"].s)
            same = isinstance(found, dict) and found["op"] in OPS and "inputs" in found
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise ValueError(f"Node '{n.name}' has an attribute _graphc that graphc did not write")
        places = [i for i in found["inputs"] if isinstance(i, int)]
        if found.get("type") != n.op or len(n.input) <= max(places, default=-1):
            return None  # somebody made another node of it
        return found  # type: ignore[no-any-return]

    def complete(self) -> None:
        """Read what is left of constructs as TensorFlow's where somebody cut something off."""
        lost = [n for n in self.nodes.values() if self.lacks(n, self.exact(n))]
        cut = {n.name for n in lost if n.op in _STRUCTURE} or any(self.placed(n) for n in lost)
        if not cut:
            return
        for n in self.nodes.values():
            if n.op in _STRUCTURE or self.placed(n):
                self.exactly[n.name] = None
        for n in lost:
            self.exactly[n.name] = None

    def placed(self, n: Any) -> bool:
        """Whether graphc wrote a node as one that is inside of a construct."""
        return bool((self.exact(n) or {}).get("in"))

    def lacks(self, n: Any, exact: Mapping[str, Any] | None) -> bool:
        """Whether something is not there that graphc wrote of a node."""
        if exact is None:
            return False
        wanted = [*_read(n, exact), *exact.get("roots", ()), *exact.get("control", ())]
        wanted += [str(i) for i in _references(exact["attrs"])]
        if exact.get("in"):
            wanted.append(exact["in"][0])
        return any(
            source(i) not in self.nodes and _canonical(i) not in self.input_map for i in wanted
        )

    def beside(self) -> set[str]:
        """Nodes that the export made for TensorFlow only: nothing that is made here reads them."""
        found = {n.name for n in self.nodes.values() if "_graphc_operand" in n.attr} - self.kept
        stack = [n for n in self.nodes.values() if n.name not in found] if found else []
        while stack:
            n = stack.pop()
            exact = self.exact(n)
            for i in n.input if exact is None else _read(n, exact):
                if source(i) in found:
                    found.discard(source(i))
                    stack.append(self.nodes[source(i)])
        return found

    def given(self, n: Any) -> bool:
        """Whether it is a placeholder of a resource that the caller has given.

        graphc makes no tensors of resources: the node is there by its name only.
        """
        handle = n.op == "Placeholder" and n.attr["dtype"].type == resource.enum
        return handle and self.is_mapped(n.name)

    # ---- order

    def order(self, left_out: set[str]) -> list[Any]:
        """Nodes after what they need; back edges of loops (to ``Merge``) are left out."""
        needs = {k: self.needs(n) for k, n in self.nodes.items() if k not in left_out}
        out: list[Any] = []
        state: dict[str, int] = {}
        for root in needs:
            stack = [root]
            while stack:
                name = stack[-1]
                if state.get(name) == 2:
                    stack.pop()
                    continue
                if state.get(name) == 1:
                    state[name] = 2
                    out.append(self.nodes[name])
                    stack.pop()
                    continue
                state[name] = 1
                for need in needs[name]:
                    if state.get(need) == 1:
                        raise ValueError(f"Node '{name}' is in a cycle of the graph")
                    if need not in state:
                        stack.append(need)
        return out

    def needs(self, n: Any) -> list[str]:
        loop = n.op in ("Merge", "RefMerge")
        out = []
        exact = self.exact(n)
        if exact is None:
            inputs = list(n.input)
        else:  # what is beside it for TensorFlow only goes round in loops
            inputs = [*_read(n, exact), *_controls(n, exact), *exact.get("roots", ())]
            inputs += self.condition(exact)
        for i in inputs:
            if _canonical(i) in self.input_map:
                continue
            name = i.removeprefix("^").partition(":")[0]
            at = self.nodes.get(name)
            if at is None:
                raise ValueError(
                    f"Node '{n.name}': Unknown input node '{i}' (it is not in the graph_def)"
                )
            if not (loop and at.op.removeprefix("Ref") == "NextIteration"):
                out.append(name)
        return out

    # ---- insides of constructs

    def inside(self, place: Sequence[str]) -> Mapping[str, Any]:
        """What is written of a context."""
        construct = self.nodes.get(place[0])
        exact = None if construct is None else self.exact(construct)
        data = {} if exact is None else exact["attrs"].get(place[1], {}).get("inside")
        if not data:
            raise ValueError(f"the graph_def has no loop or cond '{place[0]:.200}'")
        found: Mapping[str, Any] = data
        return found

    def condition(self, exact: Mapping[str, Any] | None) -> list[str]:
        """What must be there before anything in the same branch."""
        if exact is None or not exact.get("in"):
            return []
        data = self.inside(exact["in"])
        return [data["pred"]] if "pred" in data else []

    def context(self, place: Sequence[str] | None) -> Context | None:
        """The context that is meant by a place, made when it is needed first."""
        if not place:
            return self.home
        key = (str(place[0]), str(place[1]))
        if key not in self.contexts:
            data = self.inside(key)
            construct = self.nodes[key[0]]
            outer = self.context((self.exact(construct) or {}).get("in"))
            value = functools.partial(self.value, construct)
            self.contexts[key] = contexts.start(data, outer, value)
        return self.contexts[key]

    def other(self, n: Any, kind: str, x: Any) -> Any:
        """An attribute that is a part of the graph."""
        if kind == "value":
            return self.value(n, x)
        if kind == "context":
            return self.context(x)
        if kind != "inside":
            raise ValueError(f"an attribute of kind {kind!r}")
        exact = self.exact(n) or {}
        key = next(
            k for k, v in exact["attrs"].items() if isinstance(v, dict) and v.get("inside") is x
        )
        context = self.context((n.name, key))
        assert context is not None
        contexts.fill(context, x, functools.partial(self.value, n))
        return context

    def linked(self) -> None:
        """Loops that go back through others are told which."""
        for place, context in self.contexts.items():
            data = self.inside(place)
            mirror = data.get("mirror")
            if isinstance(context, Loop) and mirror and tuple(mirror) in self.contexts:
                context.mirror = self.contexts[tuple(mirror)]  # type: ignore[assignment]
                if data["index"] is not None:
                    context.index = self.value(self.nodes[place[0]], data["index"])

    # ---- one node

    def value(self, n: Any, text: str) -> Value:
        key = _canonical(text)
        given = self.input_map.get(key)
        if given is not None:
            self.used.add(key)
            return given
        if key in self.values:
            return self.values[key]
        name, _, index = key.removeprefix("^").partition(":")
        if name not in self.made:
            raise _Unknown(self.nodes[name].op)
        outputs = self.made[name].outputs
        if not index.isdigit() or int(index) >= len(outputs):
            raise ValueError(
                f"Node '{n.name}': Connecting to invalid output {index} of source node {name} "
                f"which has {len(outputs)} outputs."
            )
        return outputs[int(index)]

    def inputs(self, n: Any) -> tuple[list[Value], list[Any]]:
        values: list[Value] = []
        control: list[Any] = []
        exact = self.exact(n)
        needs = (exact or {}).get("needs", 0)  # these say only what a part must hold
        read = None if exact is None else _read(n, exact)
        if exact is not None and "control" in exact:
            control = [self.made[c] for c in exact["control"] if c in self.made]
        for i in n.input[: len(n.input) - needs]:
            if i.startswith("^"):
                if exact is not None and "control" in exact:
                    continue
                given = self.input_map.get(i)
                if given is not None:
                    self.used.add(i)
                before = self.made.get(i[1:]) if given is None else given
                if before is not None:  # what only passes a value on is no node here
                    control.append(before)
            elif (read is None or i in read) and (
                source(i) in self.made or _canonical(i) in self.values or self.is_mapped(i)
            ):  # not what the export wrote for TensorFlow only
                values.append(self.value(n, i))
        return values, control

    def node(self, n: Any) -> Operation:
        values, control = self.inputs(n)
        name = self.prefix + n.name + "/"
        if self.prefix + n.name in self.graph._nodes_by_name:
            raise ValueError(f"Node name '{self.prefix + n.name}' already exists in the Graph")
        with (
            self.graph.control_dependencies(None),
            self.graph.inside(self.context_of(n)),
            self.graph.control_dependencies(control),
        ):
            try:
                made = self.build(n, values, name)
            except _BAD as e:
                if self.definitions is not None and "_graphc" not in n.attr:
                    raise _Unknown(n.op) from None  # behind a node that is not known well
                raise ValueError(f"Node '{n.name}' of type {n.op}: {e}") from None
        return made  # type: ignore[return-value]

    def context_of(self, n: Any) -> Context | None:
        exact = self.exact(n)
        return self.current if exact is None else self.context(exact.get("in"))

    def table(self, name: str) -> str:
        """The name of a table here: the caller may have given the handle of another one."""
        handle = self.find(f"{name}:0") if self.is_mapped(name) else None
        return self.prefix + name if handle is None else table_of(handle)

    def build(self, n: Any, values: list[Value], name: str) -> Node:
        found = self.exact(n)
        if found is not None and found["op"] == "constant":
            return SPECIAL["Const"](n, values, name)
        if found is not None:
            attrs = from_plain(found["attrs"], self.symbols, functools.partial(self.other, n))
            contexts.renew(attrs)
            if found["op"] == "variable":
                attrs["var"] = name[:-1]
            elif found["op"].startswith("table_"):
                attrs["table"] = self.table(attrs["table"])
            read = [self.value(n, i) for i in _read(n, found)]
            node = build(OPS[found["op"]], read, attrs, name)
            contexts.after(node)
            return node
        if n.op in TRAINING:
            with self.graph.name_scope(name):
                return train(n, values, name)
        maker = SEVERAL.get(n.op) or (call if n.op in CALLS else None)
        if maker is not None:
            with self.graph.name_scope(name):
                out = maker(n, values, name)
            if isinstance(out, Node):
                return out
            self.values.update({f"{n.name}:{i}": v for i, v in enumerate(out)})
            return out[0].node
        special = SPECIAL.get(n.op)
        if special is not None:
            return special(n, values, name)
        form = forms_by_type().get(n.op)
        if form is None:
            raise _Unknown(n.op)
        return by_form(n, form, values, name)

    def foreign(self, n: Any, lacks: str) -> Operation:
        values, control = self.inputs(n)
        readers = [m for m in self.nodes.values() if any(source(i) == n.name for i in m.input)]
        types = foreign.outputs_of(n, (self.definitions or {}).get(n.op), readers)
        with (
            self.graph.control_dependencies(None),
            self.graph.inside(self.context_of(n)),
            self.graph.control_dependencies(control),
        ):
            made = foreign.build_foreign(n.op, values, types, self.prefix + n.name + "/", lacks)
        return made  # type: ignore[return-value]


def _read(n: Any, exact: Mapping[str, Any]) -> list[str]:
    """The inputs of a node as graphc wrote it."""
    return [n.input[i] if isinstance(i, int) else str(i) for i in exact["inputs"]]


def _references(x: Any) -> Iterator[str]:
    """The names of nodes and values in attributes that graphc wrote."""
    if isinstance(x, list):
        for y in x:
            yield from _references(y)
    elif isinstance(x, Mapping):
        if isinstance(x.get("value"), str):
            yield x["value"]
        elif isinstance(x.get("context"), list):
            yield x["context"][0]
        elif isinstance(x.get("inside"), Mapping):
            inside = x["inside"]
            yield from (i for k in ("results", "captures", "params") for i in inside.get(k, ()))
            yield from (inside[k] for k in ("pred", "test", "index") if inside.get(k))
        else:
            yield from (i for y in x.values() if isinstance(y, list) for i in _references(y))


def _controls(n: Any, exact: Mapping[str, Any]) -> list[str]:
    """What a node that graphc wrote waits for."""
    if "control" in exact:
        return [str(c) for c in exact["control"]]
    return [i for i in n.input if i.startswith("^")]


def _listing(unknown: Mapping[str, Sequence[str]]) -> str:
    lines = [
        f"  {kind}: {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        for kind, names in sorted(unknown.items())
    ]
    return (
        "graphc cannot import nodes of these types:\n" + "\n".join(lines) + "\n"
        "Cut the graph above them (tf.graph_util.extract_sub_graph keeps what some outputs need), "
        "replace them by tensors of your own (input_map), or freeze the graph for inference."
    )
