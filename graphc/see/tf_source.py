"""The decompiler: a recorded graph as TensorFlow 1 source that records it again.

Each statement is tried while it is written: it is recorded in a graph of its own, and stays only
if that gave the node (or nodes) it stands for. What no public function makes as it is there
(gradients of some ops, derived nodes) is recorded by its op, with `record`.
"""

from __future__ import annotations

import base64
import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from graphc.face.current import control_dependencies, name_scope
from graphc.face.flow import cond as tf_cond
from graphc.face.flow import while_loop
from graphc.face.graph import Graph, get_default_graph
from graphc.face.variables import Variable
from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop
from graphc.see.numpy_source import _quoted
from graphc.see.portable import identifier
from graphc.see.public import public_name
from graphc.see.tf_likeness import (
    alike,
    bare,
    equal_attributes,
    equal_shapes,
    escaping,
    needed,
    record,
    shape_of,
    variables,
)
from graphc.see.tf_literals import Cannot, Literals

__all__ = ["tf_source"]


def tf_source(graph: Any = None, elements: Sequence[Value | Node] | None = None) -> str:
    """TensorFlow 1 source that records a graph again, with the same names.

    Parameters
    ----------
    graph : Graph, optional
        By default that of `elements`, else the default graph.
    elements : sequence of tensor or operation, optional
        Only what these need; by default everything.

    Returns
    -------
    str
        A program for ``import graphc as tf``. At its end comments list what it leaves out:
        functions of Python's, objects such as datasets, and what depends on them.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default() as g:
    ...     x = tf.placeholder(tf.float32, [None, 3], name="x")
    ...     y = tf.nn.relu(x * 2.0, name="y")
    >>> print(tf_source(g))
    import graphc as tf
    <BLANKLINE>
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with tf.name_scope("mul/"):
        mul_y = tf.constant(2.0, tf.float32, name="y")
    mul = tf.multiply(x, mul_y, name="mul")
    y = tf.nn.relu(mul, name="y")
    <BLANKLINE>
    """
    if graph is None:
        first = elements[0] if elements else None
        node = first if isinstance(first, Node) else getattr(first, "node", None)
        graph = get_default_graph() if node is None else node.graph
    return _Writer(graph, elements).text()


class _Writer(Literals):
    def __init__(self, graph: Any, elements: Sequence[Value | Node] | None) -> None:
        super().__init__()
        self.old = graph
        if elements is None:
            nodes = list(graph.get_operations())
        else:
            nodes = needed(graph, elements)
        self.nodes = sorted(nodes, key=lambda n: n.id)
        self.new: Any = Graph()
        self.made: dict[Any, Any] = {}  # old values and nodes, as they are in the new graph
        self.words: dict[Any, tuple[str, str]] = {}  # old: for functions; as a tensor
        self.used = {"tf", "np", "record"}
        self.lines: list[str] = []
        self.pad, self.base = "", ""
        self.block: tuple[str, tuple[str, ...]] | None = None
        self.left: dict[Node, str] = {}
        self.variables = variables(graph)
        self.context: Context | None = None
        self.escaping = escaping(graph)
        self.place = {n: i for i, n in enumerate(graph._by_name.values())}
        #: Calls of `tf.gradients` that went back through loops.
        self.calls = [c for c in graph.extras.get("gradients", ()) if self.backward(c)]

    def backward(self, call: Any) -> bool:
        """Whether a call recorded what only such a call does."""
        return any(
            n.op.name in ("saved", "trips") or (n.op.name == "loop" and n.attrs["loop"].mirror)
            for n in self.nodes
            if self.recorded(n, call)
        )

    def recorded(self, n: Node, call: Any) -> bool:
        return bool(call.first <= self.place[n] < call.last)

    # ------------------------------------------------------------- the whole

    def text(self) -> str:
        import graphc as tf

        self.env.update(tf=tf, np=np, record=record, base64=base64)
        with self.new.as_default():
            self.emit(self.nodes)
            self.close()
            self.collections()
        body = "\n".join(self.lines)
        head = ["import graphc as tf"]
        tables = "\n".join(f"{k} = {v}" for k, v in self.tables.items())
        if "np." in body + tables:
            head.insert(0, "import numpy as np\n")
        if tables:
            head.insert(0, "import base64\n")
        if "record(" in body:
            head.append("from graphc.see.tf_source import record")
        out = ["\n".join(head), "", *([tables, ""] if tables else []), body]
        if self.left:
            out += ["", *self.missing()]
        return "\n".join(out) + "\n"

    def missing(self) -> list[str]:
        lines = ["# Left out:"]
        return lines + [f"#   {n.name} ({n.op.name}): {why}" for n, why in self.left.items()]

    def collections(self) -> None:
        """What is in collections, besides what recording put there."""
        for key in self.old.get_all_collection_keys():
            if not isinstance(key, str) or key.startswith("__"):
                continue
            there = list(self.new.get_collection(key))
            for item in self.old.get_collection(key):
                v = item._ref() if isinstance(item, Variable) else item
                known = self.made.get(v) if isinstance(v, (Value, Node)) else None
                if known is None:
                    continue
                have = [x._ref() if isinstance(x, Variable) else x for x in there]
                if any(x is known for x in have):
                    continue
                self.say(f"tf.add_to_collection({_quoted(key)}, {self.words[v][0]})")
                there.append(known)

    # ------------------------------------------------------------- lines

    def say(self, line: str) -> None:
        self.lines.append(f"{self.pad}{line}")

    def close(self) -> None:
        """The block of a scope ends."""
        if self.block is not None:
            self.block = None
            self.pad = self.pad[:-4]

    def enter(self, scope: str, control: tuple[str, ...]) -> None:
        """The next line is in a scope, after other operations."""
        key = (scope, control)
        if key == self.block:
            return
        self.close()
        if scope == self.base and not control:
            return
        words = (
            [f"tf.name_scope({_quoted(scope) if scope else None})"] if scope != self.base else []
        )
        words += [f"tf.control_dependencies([{', '.join(control)}])"] if control else []
        self.say(f"with {', '.join(words)}:")
        self.pad += "    "
        self.block = key

    # ------------------------------------------------------------- nodes

    def emit(self, nodes: Sequence[Node]) -> None:
        """Write nodes of the current context, and the constructs among them."""
        i = 0
        while i < len(nodes):
            n = nodes[i]
            if n in self.made or n in self.left:
                i += 1
                continue
            count = self.differentiated(nodes[i:])
            if count:
                i += count
                continue
            inner = self.inner(n)
            if inner is not None:
                i += self.construct(nodes[i:], inner)
                continue
            why = self.unreachable(n)
            if why:
                self.left[n] = why
                i += 1
                continue
            i += self.single(nodes[i:])

    def differentiated(self, nodes: Sequence[Node]) -> int:
        """Write the call of `tf.gradients` that recorded these; for how many nodes it stands.

        Only a call that went back through a loop: its nodes have no other source.
        """
        n = nodes[0]
        call = next((c for c in self.calls if self.recorded(n, c)), None)
        if call is None or self.context is not None:
            return 0
        block = [m for m in nodes if self.recorded(m, call)]
        values = [*call.ys, *call.xs, *call.stop, *[g for g in call.grad_ys if g is not None]]
        if block[0] is not n or not all(isinstance(v, Value) and v in self.words for v in values):
            return 0
        words: list[list[str]] = [
            ["None" if v is None else self.words[v][0] for v in given]
            for given in (call.ys, call.xs, call.grad_ys, call.stop)
        ]
        ys, xs, gys, stop = [f"[{', '.join(w)}]" for w in words]
        more = "" if all(g is None for g in call.grad_ys) else f", grad_ys={gys}"
        more += f", stop_gradients={stop}" if call.stop else ""
        more += ', unconnected_gradients="zero"' if call.unconnected == "zero" else ""
        expression = f"tf.gradients({ys}, {xs}{more}, name={_quoted(call.scope)})"
        try:
            with self.new.transaction():
                have = self.count()
                result = eval(expression, self.env)
                made = {m.name: m for m in self.since(have)}
                for m in block:
                    if not alike(m, made.get(m.name)):
                        raise Cannot
        except Exception:  # node by node, then, and what has no source is left out
            return 0
        self.close()
        name = identifier(f"{call.scope}grads", self.used)
        self.say(f"{name} = {expression}")
        self.env[name] = result
        for m in block:
            new = made[m.name]
            self.made[m] = new
            self.made.update(zip(m.outputs, new.outputs, strict=True))
            self.words[m] = (
                f"tf.get_default_graph().get_operation_by_name({_quoted(m.name)})",
            ) * 2
            for v in m.outputs:
                word = f"tf.get_default_graph().get_tensor_by_name({_quoted(v.name)})"
                self.words[v] = (word, word)
        return len(block)

    def unreachable(self, n: Node) -> str:
        gone = [v.node.name for v in n.inputs if v not in self.made or v not in self.words]
        gone += [m.name for m in n.control if m not in self.made]
        if gone:
            return f"needs {gone[0]}"
        if n.op.name in ("saved", "trips"):  # what a loop keeps for its gradient
            return "the gradient of a loop"
        return "a Python function" if n.op.name.startswith("py_func") else ""

    def single(self, nodes: Sequence[Node]) -> int:
        """Write one statement; how many nodes it stands for."""
        n = nodes[0]
        scope = n.name.rpartition("/")[0]
        scope = f"{scope}/" if scope else ""
        control = tuple(self.words[m][0] for m in n.control)
        for where, expression, count in self.candidates(nodes, scope):
            try:  # nothing is written before the statement has proved right
                result = self.attempt(nodes[:count], where, n, expression)
            except Exception:  # another way may do; whatever it raised, nothing of it stays
                continue
            self.enter(where, control)
            self.bind(nodes[:count], result, expression)
            for v, shape in self.shaped:
                self.say(f"{self.words[v][1]}.set_shape({shape})")
            return count
        self.left[n] = "no statement records it"
        return 1

    def attempt(self, nodes: Sequence[Node], scope: str, n: Node, expression: str) -> Any:
        """Run a statement: what it gives, when it recorded these nodes."""
        with self.new.transaction():
            have = self.count()
            with ExitStack() as stack:
                if scope != self.base:
                    stack.enter_context(name_scope(scope or None))
                if n.control:
                    stack.enter_context(control_dependencies([self.made[m] for m in n.control]))
                result = eval(expression, self.env)
            made = self.since(have)
            if len(made) != len(nodes):
                raise Cannot
            trial: dict[Any, Any] = {}
            self.shaped: list[tuple[Value, Any]] = []
            for a, b in zip(nodes, made, strict=True):
                self.compare(a, b, trial)
        self.made.update(trial)
        return result

    def count(self) -> int:
        return len(self.new._by_name)

    def since(self, count: int) -> list[Node]:
        """The nodes recorded after the first `count`."""
        last = itertools.islice(reversed(self.new._by_name.values()), self.count() - count)
        return list(last)[::-1]

    def compare(self, a: Node, b: Node, made: dict[Any, Any]) -> None:
        """Refuse a new node that is not the old one."""
        known = self.made

        def of(x: Any) -> Any:
            return made[x] if x in made else known.get(x)

        same = (
            a.op is b.op
            and a.name == b.name
            and len(a.inputs) == len(b.inputs)
            and all(of(x) is y for x, y in zip(a.inputs, b.inputs, strict=True))
            and {of(m) for m in a.control} == set(b.control)
            and equal_attributes(a.attrs, b.attrs)
            and [v.dtype for v in a.outputs] == [v.dtype for v in b.outputs]
        )
        if not same:
            raise Cannot
        for v, w in zip(a.outputs, b.outputs, strict=True):
            if not equal_shapes(v, w):
                shape = bare(v.static_shape)
                w.set_shape(shape)  # type: ignore[attr-defined]
                if not equal_shapes(v, w):
                    raise Cannot
                self.shaped.append((v, shape))
        made[a] = b
        made.update(zip(a.outputs, b.outputs, strict=True))

    def bind(self, nodes: Sequence[Node], result: Any, expression: str) -> None:
        """The line of a statement, and the names under which what it made is known."""
        n = nodes[0]
        if isinstance(result, Variable):
            name = identifier(n.name, self.used)
            self.words[n] = (f"{name}.op", f"{name}.op")
            self.words[n.outputs[0]] = (name, f"{name}._ref()")
            for m in nodes[1:]:
                word = f"{name}.initializer" if m.op.name == "assign" else f"{name}.value()"
                self.words[m] = (f"{word}.op" if m.op.name != "assign" else word,) * 2
                for v in m.outputs:
                    self.words[v] = (name if m.op.name != "assign" else word, word)
        elif not n.outputs:
            name = identifier(n.name, self.used)
            self.words[n] = (name, name)
        else:
            names = []
            last = nodes[-1]
            for v in last.outputs:
                base = f"{last.name}_{v.index}" if v.index else last.name
                names.append(identifier(base, self.used))
                self.words[v] = (names[-1], names[-1])
            self.words[last] = (f"{names[0]}.op", f"{names[0]}.op")
            name = ", ".join(names)
        if self.context is not None and any(v in self.escaping for m in nodes for v in m.outputs):
            self.say(f"global {name}")  # read outside of the function, too
        self.say(f"{name} = {expression}")
        if "," in name:
            self.env.update(zip(name.split(", "), result, strict=True))
        else:
            self.env[name] = result[0] if isinstance(result, (list, tuple)) else result
            if isinstance(result, (list, tuple)):
                self.lines[-1] = self.lines[-1].replace(f"{name} = ", f"({name},) = ", 1)

    # ------------------------------------------------------------- ways to write a node

    def candidates(self, nodes: Sequence[Node], scope: str) -> Iterator[tuple[str, str, int]]:
        """(scope, -, expression, how many nodes) in order of preference."""
        n = nodes[0]
        short = n.name[len(scope) :]
        name = f"name={_quoted(short)}"
        if n.op.name == "variable":
            for expression in self.variable(nodes, name):
                yield scope, expression, 3
        for expression in self.tried(n, name):
            yield scope, expression, 1
        for expression in self.tried(n, f"name={_quoted(n.name + '/')}"):
            yield self.base, expression, 1
        try:
            inputs = ", ".join(self.words[v][1] for v in n.inputs)
            attrs = ", ".join(
                f"{_quoted(k)}: {self.literal(a)}" for k, a in n.attrs.items() if k[:1] != "_"
            )
        except Cannot:  # an attribute is an object
            return
        words = [_quoted(n.op.name), f"[{inputs}]", "{" + attrs + "}", _quoted(n.name)]
        yield self.base, f"record({', '.join(words)})", 1

    def variable(self, nodes: Sequence[Node], name: str) -> Iterator[str]:
        if len(nodes) < 3 or [m.op.name for m in nodes[1:3]] != ["assign", "identity"]:
            return
        n, assign = nodes[:2]
        start = assign.inputs[1]
        if start not in self.words:
            return
        words = [self.words[start][0]]
        held = self.variables.get(n.outputs[0], [])
        if "trainable_variables" not in held:
            words.append("trainable=False")
        rest = [k for k in held if k != "trainable_variables"]
        if rest != ["variables"]:
            words.append(f"collections={rest}")
        yield f"tf.Variable({', '.join([*words, name])})"
        yield f"tf.Variable({', '.join([*words, 'validate_shape=False', name])})"

    def tried(self, n: Node, name: str) -> list[str]:
        try:
            return list(self.plain(n, name))
        except Cannot:
            return []

    def plain(self, n: Node, name: str) -> Iterator[str]:
        """Calls of public functions."""
        args = [self.words[v][0] for v in n.inputs]
        a, op = n.attrs, n.op.name
        if op == "placeholder":
            shape = n.outputs[0].static_shape
            words = [self.literal(n.outputs[0].dtype)]
            if shape is not None:
                words.append(self.literal(list(shape)))
            yield f"tf.placeholder({', '.join([*words, name])})"
        elif op == "constant":
            yield f"tf.constant({self.array(a['value'], n.outputs[0].dtype)}, {name})"
        elif op == "placeholder_with_default":
            given = self.literal(None if a["shape"] is None else list(a["shape"]))
            yield f"tf.placeholder_with_default({args[0]}, {given}, {name})"
        elif op == "no_op":
            yield f"tf.no_op({name})"
        elif op in ("assign", "assign_add", "assign_sub"):
            yield f"tf.{op}({args[0]}, {args[1]}, {name})"
            yield f"tf.{op}({args[0]}, {args[1]}, validate_shape=False, {name})"
        elif op == "sorted_ids":  # checks what its result is
            yield f"tf.identity({args[0]}, {name})"
        elif op in ("select", "select_rows"):
            yield f"tf.where({', '.join([*args, name])})"
        else:
            yield from self.public(n, args, name)

    def public(self, n: Node, args: list[str], name: str) -> Iterator[str]:
        public = public_name(n.op)
        if not public or not callable(n.op.call):
            return
        try:
            params = inspect.signature(n.op.call).parameters
        except (TypeError, ValueError):
            return
        known = {k: v for k, v in n.attrs.items() if k in params and k not in ("name", "dynamic")}
        renamed = {"dtype": "output_type", "out_type": "out_type", "num": "num_or_size_splits"}
        for k, to in renamed.items():
            if k in n.attrs and k not in known and to in params:
                known[to] = n.attrs[k]
        words = []
        for k, v in known.items():
            default = params[k].default
            if not (type(default) is type(v) and default == v) and (v or default is not None):
                words.append(f"{k}={self.literal(v)}")
        dynamic = n.attrs.get("dynamic", ())
        if dynamic:
            words += [f"{k}={x}" for k, x in zip(dynamic, args[-len(dynamic) :], strict=True)]
            args = args[: -len(dynamic)]
        listed = [f"[{', '.join(args)}]"]
        plain = [*args, *words, name]
        yield f"{public}({', '.join(plain)})"
        yield f"{public}({', '.join([*listed, *words, name])})"

    # ------------------------------------------------------------- loops and conds

    def inner(self, n: Node) -> Context | None:
        """The context just inside the current one to which `n` belongs."""
        c = self.old.contexts.get(n)
        if c is None or c is self.context:
            # with nothing inside, a loop or a cond begins with its own node
            own = n.attrs.get("then", n.attrs.get("loop"))
            return own if isinstance(own, Context) and own.node is n else None
        for outer in c.chain():
            if outer.outer is self.context:
                return outer  # type: ignore[no-any-return]
        raise Cannot

    def construct(self, nodes: Sequence[Node], first: Context) -> int:
        """Write a loop or a cond; how many nodes it stands for."""
        head = first.node
        if head is None or head not in nodes:
            self.left[nodes[0]] = "its loop or cond is not there"
            return 1
        head_at = nodes.index(head)
        end = head_at + 1
        ends = ("exit", "merge")
        while end < len(nodes) and nodes[end].op.name in ends and nodes[end].inputs[0].node is head:
            end += 1
        mine = set(nodes[head_at:end])
        block = [n for n in nodes[:end] if n in mine or self.belongs(n, head)]
        outside = [n for n in nodes[:end] if n not in set(block)]
        if outside:  # variables of a cell that was called inside: before it
            self.emit(outside)
        state = self.lines, self.pad, self.block, set(self.used), dict(self.made), dict(self.words)
        error = "it is made in another way"
        write: Callable[..., None] = self.loop if isinstance(first, Loop) else self.branches
        for more in (False, True):
            self.lines, self.pad, self.block = list(state[0]), state[1], state[2]
            self.used, self.made, self.words = set(state[3]), dict(state[4]), dict(state[5])
            left = len(self.left)
            try:
                with self.new.transaction():
                    have = self.count()
                    write(block, head, first, more)
                    made = self.since(have)
                    if [m.name for m in made] != [m.name for m in block]:
                        raise Cannot
                    if len(self.left) > left:
                        raise Cannot
                return end
            except Exception as e:
                error = str(e).split("\n")[0] or error
                gone = list(self.left)[left:]
                if gone:
                    error = f"{gone[0].name}: {self.left[gone[0]]}"
                for n in gone:
                    del self.left[n]
        self.lines, self.pad, self.block, self.used, self.made, self.words = state
        mirrored = isinstance(first, Loop) and first.mirror is not None
        why = "the gradient of a loop" if mirrored else error
        self.left.update(dict.fromkeys(block, why))
        return end

    def belongs(self, n: Node, head: Node) -> bool:
        """Whether a node is inside of the construct `head`."""
        c = self.old.contexts.get(n)
        return c is not None and any(o.node is head for o in c.chain())

    @contextmanager
    def function(self, name: str, params: Sequence[str], c: Context, scope: str) -> Iterator[None]:
        """The lines of a function of a construct."""
        self.close()
        self.say(f"def {name}({', '.join(params)}):")
        before = self.pad, self.base, self.context
        self.pad, self.base, self.context = self.pad + "    ", scope, c
        try:
            yield
        finally:
            self.pad, self.base, self.context = before

    def results(self, values: Sequence[Value]) -> Any:
        self.close()
        words = [self.words[v][0] for v in values]
        shown = words[0] if len(words) == 1 else f"[{', '.join(words)}]"
        self.say(f"return {shown}")
        made = [self.made[v] for v in values]
        return made[0] if len(made) == 1 else made

    def finish(self, block: Sequence[Node], head: Node, call: str, made: Any) -> None:
        """The line of the call, and its results."""
        ends = [n for n in block if n.op.name in ("exit", "merge") and n.inputs[0].node is head]
        made = list(made) if isinstance(made, (list, tuple)) else [made]
        names = []
        for n, v in zip(ends, made, strict=True):
            self.made[n], self.made[n.outputs[0]] = v.node, v
            names.append(identifier(n.name, self.used))
            self.words[n.outputs[0]] = (names[-1], names[-1])
            self.words[n.inputs[0]] = (f"{names[-1]}.op.inputs[0]",) * 2
            self.words[n] = (f"{names[-1]}.op",) * 2
            self.env[names[-1]] = v
        made_of = self.new._by_name[head.name]
        self.made[head] = made_of
        self.made.update(zip(head.outputs, made_of.outputs, strict=True))
        self.close()
        self.enter(self.base, tuple(self.words[m][0] for m in head.control))
        self.say(f"{', '.join(names)} = {call}")
        self.close()

    def loop(self, block: Sequence[Node], head: Node, c: Context, more: bool) -> None:
        assert isinstance(c, Loop)
        if c.mirror is not None:
            raise Cannot
        count = len(c.params)
        merges = [v.node for v in c.params]
        inside = [n for n in block if n is not head and n not in merges and self.is_inside(n, c)]
        at = next(
            (i for i in range(len(inside)) if [
                (m.op.name, m.inputs[:1]) for m in inside[i : i + count]
            ] == [("identity", (v,)) for v in c.params]), None,
        )  # fmt: skip
        if at is None:
            raise Cannot
        entries, scope = inside[at : at + count], head.name.rpartition("/")[0] + "/"
        first, second = (identifier(f"{scope}{what}", self.used) for what in ("test", "step"))
        self.close()

        def test(*given: Any) -> Any:
            names = self.parameters(c.params, given)
            with self.function(first, names, c, scope):
                self.emit(inside[:at])
                assert c.test is not None
                return self.results([c.test])

        def step(*given: Any) -> Any:
            names = self.parameters([n.outputs[0] for n in entries], given)
            for n, v in zip(entries, given, strict=True):
                self.made[n] = v.node
            with self.function(second, names, c, scope):
                self.emit(inside[at + count :])
                return self.results(c.results)

        start = head.inputs[:count]
        words = [self.words[v][0] for v in start]
        options: dict[str, Any] = {} if c.back_prop else {"back_prop": False}
        shown = "" if c.back_prop else ", back_prop=False"
        if more:
            shapes = [bare(v.static_shape) for v in c.params]
            options["shape_invariants"] = [shape_of(s) for s in shapes]
            listed = ", ".join(f"tf.TensorShape({s})" for s in shapes)
            shown += f", shape_invariants=[{listed}]"
        made = while_loop(test, step, [self.made[v] for v in start], name=scope, **options)
        call = f"tf.while_loop({first}, {second}, [{', '.join(words)}]{shown}, "
        self.finish(block, head, f"{call}name={_quoted(scope)})", made)

    def branches(self, block: Sequence[Node], head: Node, c: Context, more: bool) -> None:
        if more:
            raise Cannot
        scope = head.name.rpartition("/")[0] + "/"
        pair: list[Branch] = [head.attrs["then"], head.attrs["orelse"]]
        names = [identifier(f"{scope}{what}", self.used) for what in ("then", "orelse")]
        self.close()

        def branch(name: str, b: Branch) -> Any:
            with self.function(name, [], b, scope):
                self.emit([n for n in block if n is not head and self.is_inside(n, b)])
                return self.results(b.results)

        pred = head.inputs[0]
        with control_dependencies([self.made[m] for m in head.control]):
            made = tf_cond(
                self.made[pred], lambda: branch(names[0], pair[0]),
                lambda: branch(names[1], pair[1]), name=scope,
            )  # fmt: skip
        call = f"tf.cond({self.words[pred][0]}, {', '.join(names)}, name={_quoted(scope)})"
        self.finish(block, head, call, made)

    def is_inside(self, n: Node, c: Context) -> bool:
        found = self.old.contexts.get(n)
        return found is not None and found.within(c)

    def parameters(self, old: Sequence[Value], given: Sequence[Any]) -> list[str]:
        names = []
        for v, x in zip(old, given, strict=True):
            names.append(identifier(v.node.name.rpartition("/")[2], self.used))
            self.made[v], self.made[v.node] = x, x.node
            self.words[v] = (names[-1], names[-1])
            self.words[v.node] = (f"{names[-1]}.op",) * 2
            self.env[names[-1]] = x
        return names
