"""Graphs as networkx graphs and back: to look for patterns, measure, draw, or edit.

Everything of a graph is in plain attributes, under names: nothing of the graph that was handed
over is changed or shared but values that do not belong to a graph (numbers, functions, datasets).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import networkx as nx

from graphc.face.elements import Operation
from graphc.face.graph import Graph as Recorded
from graphc.face.graph import get_default_graph
from graphc.face.variables import Variable
from graphc.graphdef.forms import load_records
from graphc.ir import dims, region
from graphc.ir.dims import Facts
from graphc.ir.graph import Graph as Pure
from graphc.ir.node import Node, Source, Value, type_text
from graphc.ops.record import OPS
from graphc.train.queue_runner import QueueRunner
from graphc.train.saver import Saver

__all__ = ["ContextRef", "ObjectRef", "Ref", "from_networkx", "to_networkx"]


class Ref(NamedTuple):
    """Stands for an output of a node, or, without `output`, for the node.

    Inside of a region the node is a tuple: that with the region, the attribute, the node.
    """

    node: Any
    output: int | None = None


class ContextRef(NamedTuple):
    """Stands for the inside of a loop or a branch: a place in the graph's list ``contexts``."""

    place: int


class ObjectRef(NamedTuple):
    """Stands for a variable, or what else a collection holds, by what it knows of the graph."""

    kind: type
    place: int
    fields: Mapping[str, Any]


def to_networkx(graph: Recorded | Pure | None = None) -> nx.MultiDiGraph:
    """A recorded or a pure graph as a directed networkx graph, in order of recording.

    A node has the attributes ``op`` (name of the record), ``type`` (TensorFlow's name of it),
    ``name``, ``attrs`` (a dict), ``types`` (pairs of element type and shape of its outputs; unknown
    sizes of recorded graphs are None), ``source`` (the user's lines: file, line, function), and in
    recorded graphs ``context``, where it is inside of a loop or branch.

    An edge goes from a node to one that reads it, with ``output`` and ``input``, the positions on
    both sides, and ``control=False``; a control dependency is an edge with ``control=True``. A
    value that is read twice by one node gives two edges.

    The graph's own attributes hold ``kind`` (``"recorded"`` or ``"pure"``) and the rest: inputs,
    outputs and updates of pure graphs; collections, contexts and seed of recorded ones. Where one
    of these, or an attribute of a node, means a tensor or operation, there is a `Ref`; regions
    and fused bodies are networkx graphs themselves.

    Parameters
    ----------
    graph : Graph, optional
        By default the default graph.

    Returns
    -------
    networkx.MultiDiGraph

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default() as g:
    ...     x = tf.placeholder(tf.float32, [None], name="x")
    ...     y = tf.multiply(x, x, name="y")
    >>> h = tf.to_networkx(g)
    >>> h.nodes["y"]["op"], list(h.edges(data="input"))
    ('multiply', [('x', 'y', 0), ('x', 'y', 1)])
    >>> import networkx as nx
    >>> nx.dag_longest_path(h)
    ['x', 'y']
    >>> h.nodes["y"]["op"] = "add"
    >>> double = tf.from_networkx(h)
    >>> with tf.Session(graph=double) as sess:
    ...     print(sess.run("y:0", {"x:0": [1.0, 5.0]}))
    [ 2. 10.]
    """
    graph = get_default_graph() if graph is None else graph
    if isinstance(graph, Recorded):
        return _Reader(graph.get_operations(), recorded=True).read_recorded(graph)
    if isinstance(graph, Pure):
        reader = _Reader(_all(graph), recorded=False)
        out = reader.read_pure(graph)
        out.graph["facts"] = reader.facts(graph.facts)
        return out
    raise TypeError(f"graph must be a recorded or a pure graph, not {type(graph).__name__}")


def from_networkx(graph: nx.MultiDiGraph) -> Any:
    """A graph from what `to_networkx` gave, or from one that was edited or made in its form.

    Of nodes only ``op`` is needed, and ``attrs`` where the op has attributes; of edges ``input``
    (and ``output``, where it is not the first), or ``control=True``. Nodes are recorded in the
    order in which they were added to `graph`, as far as their inputs allow. Types are inferred;
    where a node has ``types``, these may say more of a shape.

    Parameters
    ----------
    graph : networkx.MultiDiGraph
        Of ``kind`` ``"recorded"`` (also without any) or ``"pure"``.

    Returns
    -------
    Graph
        A new recorded graph, or a pure graph. What `tf.get_variable` and layers remember to
        reuse variables is not part of it.

    Raises
    ------
    ValueError
        For an op that there is not, a missing or doubled operand, a cycle, a type that the op does
        not infer; the message names the node.

    Examples
    --------
    >>> import networkx as nx
    >>> import graphc as tf
    >>> h = nx.MultiDiGraph()
    >>> h.add_node("x", op="placeholder", attrs={"dtype": tf.float32, "shape": (2,)})
    >>> h.add_node("y", op="tanh")
    >>> h.add_edge("x", "y", input=0)
    0
    >>> tf.from_networkx(h).get_tensor_by_name("y:0")
    <tf.Tensor 'y:0' shape=(2,) dtype=float32>
    """
    if not isinstance(graph, nx.MultiDiGraph):
        raise TypeError(f"graph must be a networkx.MultiDiGraph, not {type(graph).__name__}")
    kind = graph.graph.get("kind", "recorded")
    if kind not in ("recorded", "pure"):
        raise ValueError(f"the kind of a graph is 'recorded' or 'pure', not {kind!r}")
    return _Writer(graph).write_pure() if kind == "pure" else _Writer(graph).write_recorded()


# ------------------------------------------------------------------------- reading

#: What `Facts` know of values, besides sizes.
_TABLES = ("fed", "inner", "most")


def _all(g: Pure) -> list[Node]:
    """The nodes of a graph, and inputs that nothing reads."""
    nodes = g.nodes()
    seen = set(nodes)
    return [*(v.node for v in g.inputs if v.node not in seen), *nodes]


class _Reader:
    """Makes names of what belongs to a graph."""

    def __init__(
        self, nodes: Sequence[Node], recorded: bool, outer: _Reader | None = None,
        path: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.nodes = nodes
        self.recorded = recorded
        self.path = path
        #: What nodes of this graph and of its regions are called from outside.
        self.everywhere: dict[Node, Any] = outer.everywhere if outer else {}
        self.keys: dict[Node, str] = {}
        self.contexts: dict[region.Context, int] = {}
        self.objects: dict[Any, int] = {}
        taken = {n.name for n in nodes}
        used: set[str] = set()
        for n in nodes:
            key, k = n.name, 1
            while key in used or (key != n.name and key in taken):
                key, k = f"{n.name}.{k}", k + 1
            used.add(key)
            self.keys[n] = key
            self.everywhere[n] = (*path, key) if path else key

    def read(self, x: Any) -> Any:
        """`x` with names in the place of what belongs to the graph."""
        if isinstance(x, Value):
            return Ref(self.keys[x.node], x.index)
        if isinstance(x, Node):
            return Ref(self.keys[x])
        if isinstance(x, region.Context):
            return ContextRef(self.contexts.setdefault(x, len(self.contexts)))
        if isinstance(x, Variable | QueueRunner | Saver):
            place = self.objects.setdefault(x, len(self.objects))
            return ObjectRef(type(x), place, {k: self.read(v) for k, v in vars(x).items()})
        if type(x) in (tuple, list, set):
            return type(x)([self.read(e) for e in x])
        if type(x) is dict:
            return {self.read(k): self.read(v) for k, v in x.items()}
        return x

    def attributes(self, n: Node) -> dict[str, Any]:
        """The attributes of a node; regions are networks."""
        out = {}
        for k, v in n.attrs.items():
            if isinstance(v, Pure):
                path = (*self.path, self.keys[n], k)
                out[k] = _Reader(_all(v), False, self, path).read_pure(v)
            else:
                out[k] = self.read(v)
        return out

    def known(self, shape: Any) -> Any:
        if shape is None or not self.recorded:
            return shape
        return tuple(d if type(d) is int else None for d in shape)

    def network(self, kind: str, **more: Any) -> nx.MultiDiGraph:
        out = nx.MultiDiGraph(kind=kind, **more)
        for n in self.nodes:
            out.add_node(
                self.keys[n], op=n.op.name, type=getattr(n, "type", n.op.tf), name=n.name,
                attrs=self.attributes(n),
                types=[(v.dtype, self.known(v.static_shape)) for v in n.outputs],
                source=tuple(n.source),
            )  # fmt: skip
        for n in self.nodes:
            for i, v in enumerate(n.inputs):
                ends = self.keys[v.node], self.keys[n]
                out.add_edge(*ends, key=i, output=v.index, input=i, control=False)
            for m in n.control:
                out.add_edge(self.keys[m], self.keys[n], key="control", control=True)
        return out

    def read_pure(self, g: Pure) -> nx.MultiDiGraph:
        parts = {k: self.read(getattr(g, k)) for k in ("inputs", "outputs", "updates")}
        return self.network("pure", name=g.name, **parts)

    def facts(self, facts: Facts) -> dict[str, Any]:
        """What is assumed of sizes; values that no node of the graph gives are left out."""
        out: dict[str, Any] = {"env": dict(facts.env), "guards": dict(facts.guards)}
        for name in _TABLES:
            found = out[name] = {}
            for k, v in getattr(facts, name).items():
                ends = [x for x in (k, v) if isinstance(x, Value)]
                if all(x.node in self.everywhere for x in ends):
                    key, value = (
                        Ref(self.everywhere[x.node], x.index) if isinstance(x, Value) else x
                        for x in (k, v)
                    )
                    found[key] = value
        return out

    def read_recorded(self, g: Recorded) -> nx.MultiDiGraph:
        out = self.network(
            "recorded", seed=g.seed, version=g.version,
            collections={k: self.read(g.get_collection(k)) for k in g.get_all_collection_keys()},
            iterators=dict(g.extras.get("one_shot_iterators", {})), names=dict(g._names),
        )  # fmt: skip
        for n, c in g.contexts.items():
            out.nodes[self.keys[n]]["context"] = self.read(c)
        for facts, flag in ((g._unfeedable, "feedable"), (g._unfetchable, "fetchable")):
            for n in facts:
                out.nodes[self.keys[n]][flag] = False
        for n, kind in g._gradient_types.items():
            out.nodes[self.keys[n]]["gradient"] = kind
        done: list[dict[str, Any]] = []
        while len(done) < len(self.contexts):  # a context may mention others
            c = list(self.contexts)[len(done)]
            done.append({"class": type(c).__name__, **self.read(dict(vars(c)))})
        out.graph["contexts"] = done
        return out


# ------------------------------------------------------------------------- writing


class _Writer:
    """Makes a graph of names."""

    def __init__(
        self, network: nx.MultiDiGraph, outer: _Writer | None = None, path: tuple[Any, ...] = ()
    ) -> None:
        self.network = network
        self.path = path
        #: Nodes of this graph and its regions, and what is to be known of their values.
        self.everywhere: dict[Any, Node] = outer.everywhere if outer else {}
        self.facts: Facts = outer.facts if outer else Facts()
        self.told_facts: Mapping[str, Any] = outer.told_facts if outer else {}
        self.made: dict[Any, Node] = {}
        self.contexts: list[region.Context] = []
        self.objects: dict[int, Any] = {}
        self.told: list[dict[str, Any]] = list(network.graph.get("contexts", ()))

    # ---- what names mean

    def write(self, x: Any) -> Any:
        """`x` with what names stand for in their place."""
        if isinstance(x, Ref):
            n = self.named(x.node)
            if x.output is None:
                return n
            if not 0 <= x.output < len(n.outputs):
                raise ValueError(f"node {x.node!r} has {len(n.outputs)} outputs, none {x.output}")
            return n.outputs[x.output]
        if isinstance(x, ContextRef):
            return self.contexts[x.place]
        if isinstance(x, ObjectRef):
            return self.whole(x)
        if type(x) in (tuple, list, set):
            return type(x)([self.write(e) for e in x])
        if type(x) is dict:
            return {self.write(k): self.write(v) for k, v in x.items()}
        return x

    def named(self, key: str) -> Node:
        if key not in self.made:
            raise ValueError(f"{key!r} is no node of the graph, or comes after what needs it")
        return self.made[key]

    def whole(self, x: ObjectRef) -> Any:
        """The object; one, wherever it is mentioned."""
        if x.place not in self.objects:
            made: Any = object.__new__(x.kind)
            self.objects[x.place] = made
            vars(made).update({k: self.write(v) for k, v in x.fields.items()})
        return self.objects[x.place]

    # ---- order and operands

    def order(self) -> list[Any]:
        """Nodes in the order of the networkx graph, as far as their inputs allow."""
        place = {key: i for i, key in enumerate(self.network)}
        uses = nx.DiGraph(self.network)
        for key, facts in self.network.nodes(data=True):
            uses.add_edges_from((r.node, key) for r in _refs(facts.get("attrs")) if r.node in place)
        try:
            return list(nx.lexicographical_topological_sort(uses, key=place.__getitem__))
        except nx.NetworkXUnfeasible:
            cycle = " -> ".join(repr(u) for u, *_ in nx.find_cycle(uses))
            raise ValueError(f"the graph has a cycle: {cycle}") from None

    def operands(self, key: Any) -> tuple[list[Value], list[Node]]:
        """What a node reads, in order, and what it comes after."""
        inputs: dict[int, Value] = {}
        control: list[Node] = []
        for u, _, facts in self.network.in_edges(key, data=True):
            if facts.get("control"):
                control.append(self.named(u))
                continue
            i = facts.get("input")
            if type(i) is not int or i < 0:
                raise ValueError(
                    f"the edge from {u!r} to {key!r} needs `input`, the position of the operand, "
                    "or `control=True`"
                )
            if i in inputs:
                raise ValueError(f"node {key!r} has two operands {i}")
            inputs[i] = self.write(Ref(u, facts.get("output", 0)))
        missing = sorted(set(range(max(inputs, default=-1) + 1)).difference(inputs))
        if missing:
            raise ValueError(f"node {key!r} has no operand {missing[0]}, but later ones")
        return [inputs[i] for i in range(len(inputs))], control

    def parts(self, key: Any) -> tuple[Any, list[Value], dict[str, Any], list[Node], Any]:
        """Record, operands, attributes, control inputs and source of a node."""
        facts = self.network.nodes[key]
        if facts.get("op") not in OPS:  # modules of some ops are imported when first used
            load_records()
        op = OPS.get(facts.get("op"))
        if op is None:
            raise ValueError(f"node {key!r}: there is no op {facts.get('op')!r}")
        inputs, control = self.operands(key)
        if op.args and not op.args[-1].startswith("*") and len(inputs) < len(op.args):
            raise ValueError(f"node {key!r}: {op.name} takes {', '.join(op.args)}, got {inputs}")
        source = tuple(Source(*s) for s in facts.get("source", ()))
        attrs = {
            k: _Writer(v, self, (*self.path, key, k)).pure()
            if isinstance(v, nx.MultiDiGraph)
            else self.write(v)
            for k, v in dict(facts.get("attrs") or {}).items()
        }
        return op, inputs, attrs, control, source

    # ---- pure

    def write_pure(self) -> Pure:
        self.told_facts = self.network.graph.get("facts", {})
        self.facts.env.update(self.told_facts.get("env", {}))
        self.facts.guards.update(self.told_facts.get("guards", {}))
        with dims.assuming(self.facts):
            return self.pure()

    def pure(self) -> Pure:
        told = self.network.graph
        for key in self.order():
            op, inputs, attrs, _, source = self.parts(key)
            types = _inferred(key, op, inputs, attrs)
            _compare(key, self.network.nodes[key].get("types"), types, exact=True)
            name = self.network.nodes[key].get("name", key)
            self.made[key] = n = Node(op, inputs, attrs, types, name, (), source)
            full = (*self.path, key) if self.path else key
            self.everywhere[full] = n
            for v in n.outputs:
                self.learn(Ref(full, v.index), v)
        parts = {k: self.write(tuple(told.get(k, ()))) for k in ("outputs", "updates", "inputs")}
        return Pure(**parts, name=told.get("name", "main"), facts=self.facts)

    def learn(self, name: Ref, v: Value) -> None:
        """What is known of a value, before its users are made."""
        for table in _TABLES:
            told = self.told_facts.get(table, {})
            if name in told:
                x = told[name]
                out = self.everywhere[x.node].outputs[x.output or 0] if isinstance(x, Ref) else x
                getattr(self.facts, table)[v] = out

    # ---- recorded

    def write_recorded(self) -> Recorded:
        told = self.network.graph
        graph = Recorded()
        graph.seed = told.get("seed")
        for c in self.told:  # filled in when the nodes are there
            self.contexts.append(object.__new__(getattr(region, c["class"])))
        for key in self.order():
            self.made[key] = self.record(graph, key)
        for key, place in self.network.nodes(data="context"):
            if place is not None:
                graph.contexts[self.made[key]] = self.write(place)
        for empty, c in zip(self.contexts, self.told, strict=True):
            vars(empty).update({k: self.write(v) for k, v in c.items() if k != "class"})
        for key, items in told.get("collections", {}).items():
            graph.add_to_collection(key, None)
            graph.get_collection_ref(key)[:] = self.write(list(items))
        if told.get("iterators"):
            graph.extras["one_shot_iterators"] = dict(told["iterators"])
        graph._names.update(told.get("names", {}))
        graph.recount(told.get("version", graph.version))
        return graph

    def record(self, graph: Recorded, key: Any) -> Operation:
        facts = self.network.nodes[key]
        op, inputs, attrs, control, source = self.parts(key)
        _inferred(key, op, inputs, attrs)
        with graph.from_line(source), graph.control_dependencies(control):
            made = graph.add(op, inputs, attrs, f"{facts.get('name', key)}/")
        _compare(key, facts.get("types"), [v.type for v in made.outputs], exact=False)
        for v, (_, shape) in zip(made.outputs, facts.get("types") or (), strict=False):
            v.set_shape(shape)  # type: ignore[attr-defined]
        if not facts.get("feedable", True):
            graph._unfeedable.add(made)
        if not facts.get("fetchable", True):
            graph._unfetchable.add(made)
        if "gradient" in facts:
            graph._gradient_types[made] = facts["gradient"]
        return made


def _inferred(key: Any, op: Any, inputs: Sequence[Value], attrs: Mapping[str, Any]) -> Any:
    try:
        return list(op.infer(inputs, attrs))
    except (TypeError, ValueError, KeyError, IndexError) as e:
        what = f"attribute {e} is missing" if isinstance(e, KeyError) else e
        raise ValueError(f"node {key!r} ({op.name}): {what}") from e


def _compare(key: Any, stated: Any, inferred: Sequence[Any], exact: bool) -> None:
    """Refuse types that a node cannot have."""
    if stated is None:
        return
    same = len(stated) == len(inferred) and all(
        s[0] is t[0] and (_equal if exact else _agree)(s[1], t[1])
        for s, t in zip(stated, inferred, strict=True)
    )
    if not same:
        raise ValueError(
            f"node {key!r} is said to be {_types_text(stated)}, but its op infers "
            f"{_types_text(inferred)}"
        )


def _equal(a: Any, b: Any) -> bool:
    return bool(a == b)


def _agree(a: Any, b: Any) -> bool:
    """Whether two shapes, as far as they are known, can be one."""
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(
        x == y for x, y in zip(a, b, strict=True) if type(x) is type(y) is int
    )


def _types_text(types: Iterable[Any]) -> str:
    known = [(t, s and tuple("?" if d is None else d for d in s)) for t, s in types]
    return ", ".join(type_text(t) for t in known)


def _refs(x: Any) -> Iterable[Ref]:
    """The names of values and nodes in attributes."""
    if isinstance(x, Ref):
        yield x
    elif isinstance(x, dict):
        for v in x.values():
            yield from _refs(v)
    elif isinstance(x, tuple | list) and not isinstance(x, ContextRef | ObjectRef):
        for v in x:
            yield from _refs(v)
