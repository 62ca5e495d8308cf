"""Neighbouring ops become one kernel: every group of nodes turns into one ``fused`` node.

Groups form from the results backwards. A node joins the group of its users where that saves
a pass over memory and costs no repeated work; what is read by several groups is stored once,
by the group nearest to its users. Group heights (longest path to a result) keep the graph of
groups free of cycles without searching it.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dims as D
from graphc.ir import journal
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.passes.epilogue import batch_of
from graphc.passes.fused_node import make_fused
from graphc.passes.groups import (
    COSTLY,
    LIMIT,
    PRODUCTS,
    Group,
    has_many_parts,
    is_alias,
    is_checked,
    is_contraction,
    is_pointwise,
    is_reduction,
    is_scalar_constant,
    is_view,
    joins_rows,
    kept_shape,
    largest_part,
    reduction_axes,
    row_aligned,
    same_shape,
)
from graphc.passes.obstacles import say

__all__ = ["fuse"]


#: Instructions, about, that recomputing an element may take: less than loading it from memory.
RECOMPUTE = 40
SOURCES = frozenset({"input", "read", "constant"})


def over_part_of_batch(n: Node, product: Node) -> bool:
    """Whether an operand of `n` is broadcast over some of a matrix product's batch axes only."""
    full = product.outputs[0].static_shape
    if product.op.family != "contraction" or full is None or len(full) < 4:
        return False
    return any(
        v.static_shape is None or batch_of(v.static_shape, full) is None
        for v in n.inputs
        if n is not product
    )


def fuse(g: Graph) -> Graph:
    """Group the nodes of `g`: what results has ``fused`` nodes, sources and reshapes only."""
    with D.assuming(g.facts):
        return _Fuser(g).run()


class _Fuser:
    def __init__(self, g: Graph) -> None:
        self.g = g
        self.nodes = g.nodes()
        self.users: dict[Node, list[Node]] = {}
        for n in self.nodes:
            for v in n.inputs:
                self.users.setdefault(v.node, []).append(n)
        self.fetched = {v.node for v in g.roots}
        self.products = {n for n in self.nodes if n.op.family in PRODUCTS and is_contraction(n)}
        self.group: dict[Node, Group] = {}
        self.journal = journal.current()

    def run(self) -> Graph:
        for n in reversed(self.nodes):
            name = n.op.name
            if name in SOURCES or is_alias(n) or name == "fused":
                self.group[n] = self.alone(n)
            else:
                self.place(n)
        self.recompute()
        return self.emit()

    # ---------------------------------------------------------------- placing

    def height(self, n: Node) -> int:
        return max([self.group[u].root().height + 1 for u in self.users.get(n, ())], default=0)

    def alone(self, n: Node) -> Group:
        g = Group(self.height(n), None, True)
        g.add(n)
        return g

    def place(self, n: Node) -> None:
        users = self.users.get(n, [])
        groups: list[Group] = []
        for u in users:
            r = self.group[u].root()
            if r not in groups:
                groups.append(r)
        if groups:
            best = groups
            if len(groups) > 1:
                top = max([g.height for g in groups])
                best = [g for g in groups if g.height == top]
            escapes = n in self.fetched or len(groups) > len(best)
            first = best[0]
            if len(best) == 1:
                word = self.misfit(n, first, escapes)
            else:
                first = next((g for g in best if g.axes is not None), first)
                word = self.obstacle(n, best, first)
            if self.journal is not None:
                self.write_down(n, word, best)
            if not word:
                self.join(n, self.merge(best, first), escapes)
                return
        elif self.journal is not None and is_contraction(n):
            say(self.journal, "no reader", n, (), None)
        closed = not (is_pointwise(n) or is_reduction(n) or is_view(n) or is_contraction(n))
        g = Group(top_height(groups), n.outputs[0].static_shape, closed)
        part = largest_part(n)
        if part is not None:
            g.joint, g.domain, g.copies = n, part, joins_rows(n)
        self.join(n, g, True)

    def join(self, n: Node, g: Group, escapes: bool) -> None:
        if g.axes is None and g.nodes and not same_shape(n.outputs[0].static_shape, g.domain):
            g.axes = self.row_of(n, g)
        g.add(n)
        self.group[n] = g
        if g.product is None:
            g.product = self.product_of(n)
        if is_reduction(n) and not g.closed:
            g.axes = reduction_axes(n)
            g.domain = n.inputs[0].static_shape
        if escapes:
            g.outputs += 1

    def write_down(self, n: Node, word: str, best: list[Group]) -> None:
        """Why `n` is not in the kernels of its readers, `best` and others, where it is not."""
        assert self.journal is not None
        near = {u for u in self.users[n] if self.group[u].root() in best}
        if word:
            say(self.journal, word, n, sorted(near, key=lambda u: u.id), best[0].domain)
        for u in self.users[n]:
            if u not in near:
                far = self.group[u].root()
                say(self.journal, far.closed_word() or "depth", n, [u], far.domain)

    def obstacle(self, n: Node, groups: list[Group], first: Group) -> str:
        """What keeps `n` out of several groups, a word of `OBSTACLES`; "" if they can be one."""
        for g in groups:
            word = self.misfit(n, g, True)
            if word:
                return word
        if sum(len(g.nodes) for g in groups) > LIMIT:
            return "apart limit"
        return "apart" if any(self.apart(g, first) for g in groups) else ""

    @staticmethod
    def apart(g: Group, first: Group) -> bool:
        """Whether two groups of one height cannot be one."""
        return (
            g.closed or g.joint is not None or g.axes not in (None, first.axes)
            or not same_shape(g.domain, first.domain)
            or g.contracts or (g.views and first.axes is not None)
        )  # fmt: skip

    @staticmethod
    def merge(groups: list[Group], first: Group) -> Group:
        """Groups of one height depend on no one of each other: they may become one."""
        for g in groups:
            if g is not first:
                g.parent = first
                first.nodes += g.nodes
                first.views = first.views or g.views
                first.product = first.product or g.product
                first.outputs += g.outputs
        return first

    def misfit(self, n: Node, g: Group, escapes: bool) -> str:
        """Why `n`, all of whose users here are in `g`, cannot be in it too; "" if it can."""
        word = g.full_word() or ("rows read" if joins_rows(n) else "")
        if word:
            return word
        users = [u for u in self.users[n] if self.group[u].root() is g]
        if n in self.products:
            return self.product_misfit(n, g, users)
        if is_reduction(n):
            return self.reduction_misfit(n, g, users)
        if g.contracts:
            return self.epilogue_misfit(n, g)
        if g.joint is not None and self.parted(n, g, users):
            return ""
        if g.views and any(map(is_view, users)):
            # a value read through an index map is recomputed at each place it is read from
            if not is_view(n):
                return "view computed"
            return "view stored" if escapes else "view heavy" if n.op.facts.get("heavy") else ""
        if g.axes is not None and has_many_parts(n):
            return "parts"
        if is_pointwise(n) or is_view(n):
            return self.pointwise_misfit(n, g, users)
        return "alone"

    @staticmethod
    def product_misfit(n: Node, g: Group, users: list[Node]) -> str:
        """Whether a matrix product can have the group behind it, as its epilogue."""
        shape = n.outputs[0].static_shape
        if g.axes is not None:
            return "product reduction"
        if g.contracts:
            return "product product"
        if g.views:
            return "product view"
        if not all(map(is_pointwise, users)):
            return "product user"
        if any(map(is_checked, g.nodes)):
            return "product check"
        whole = all(same_shape(u.outputs[0].static_shape, shape) for u in users)
        if not whole or not same_shape(shape, g.domain):
            return "product shape"
        return "product batch" if any(over_part_of_batch(m, n) for m in g.nodes) else ""

    def epilogue_misfit(self, n: Node, g: Group) -> str:
        """An epilogue's operands are read element by element as the product finishes."""
        if self.feeds_contraction(n, g):
            return "operand"
        if not is_pointwise(n):
            return "epilogue op"
        if is_checked(n):
            return "epilogue check"
        if not same_shape(n.outputs[0].static_shape, g.domain):
            return "epilogue shape"
        core = next(m for m in g.nodes if is_contraction(m))
        return "epilogue batch" if over_part_of_batch(n, core) else ""

    def pointwise_misfit(self, n: Node, g: Group, users: list[Node]) -> str:
        """Whether a value computed or read element by element has its place in the loops."""
        shape = n.outputs[0].static_shape
        if same_shape(shape, g.domain):
            # a sum of products: each adds to the one before in its own epilogue
            core = self.product_of(n)
            return "" if core is None or g.product is None or g.product is core else "two sums"
        if g.axes is None:
            if not is_pointwise(n) or self.row_of(n, g) is None:
                return "space"
            return "view rows" if g.views else ""
        if not is_pointwise(n):
            return "view rows"
        if not same_shape(shape, kept_shape(g, shape)):
            return "space"
        return "" if row_aligned(n, g, users) else "rows"

    def product_of(self, n: Node) -> Node | None:
        """The matrix product that only `n` reads, and reads at its own places, if there is one."""
        if not self.products or not is_pointwise(n):
            return None
        shape = n.outputs[0].static_shape
        for v in n.inputs:
            m = v.node
            if m in self.products and len(self.users[m]) == 1 and m not in self.fetched:
                if same_shape(v.static_shape, shape):
                    return m
        return None

    @staticmethod
    def parted(n: Node, g: Group, users: list[Node]) -> bool:
        """Whether `n` is computed once at each place of the parts of a concat, where it is read."""
        return (
            (is_pointwise(n) or (is_view(n) and not n.op.facts.get("heavy")))
            and same_shape(n.outputs[0].static_shape, g.domain)
            and all(u is g.joint or is_pointwise(u) for u in users)
        )

    def row_of(self, n: Node, g: Group) -> tuple[int, ...] | None:
        """The axes reduced for `n`, if it is made from reductions of the group's full shape."""
        shape, full = n.outputs[0].static_shape, g.domain
        if not is_pointwise(n) or shape is None or full is None or len(shape) != len(full):
            return None
        axes = tuple(i for i, (a, b) in enumerate(zip(shape, full, strict=True)) if a != b)
        if any(shape[i] != 1 for i in axes):
            return None
        stack, seen = [n], {n}
        while stack:
            for v in stack.pop().inputs:
                m = v.node
                if m in seen or not same_shape(v.static_shape, shape):
                    continue
                seen.add(m)
                if is_reduction(m) and same_shape(m.inputs[0].static_shape, full):
                    if tuple(sorted(reduction_axes(m))) == axes:
                        return reduction_axes(m)
                elif is_pointwise(m) and len(seen) < 32:
                    stack.append(m)
        return None

    # ---------------------------------------------------------------- computing again

    def recompute(self) -> None:
        """Values that are cheaper to compute again than to write and read.

        A value that one group hands to others is made again in each of them where all it takes is
        a few instructions on values that are in memory anyway. `copies` says which nodes a group
        computes that belong to another.
        """
        self.copies: dict[Group, dict[Node, None]] = {}
        again: dict[Value, dict[Node, None]] = {}  # nodes that are computed again, by operand
        home = {n: g.root() for n, g in self.group.items()}
        readers = self.readers(home)
        made = [v for v in readers if not home[v.node].closed]
        for v in sorted(made, key=lambda v: -v.node.id):
            if v.node in self.fetched or not is_pointwise(v.node):
                continue
            inside: dict[Node, None] = {}
            leaves: dict[Value, None] = {}
            targets = list(readers[v])
            word = self.cone(v, home, readers, inside, leaves)
            word = word or self.untaken(v, targets, inside, leaves, home, readers, again)
            if word:
                if self.journal is not None:
                    far = [u for u in self.users[v.node] if home[u] in readers[v]]
                    say(self.journal, word, v.node, far, targets[0].domain)
                continue
            if self.journal is not None:
                self.say_again(v, inside, leaves, home)
            del readers[v]
            for n in inside:
                for x in n.inputs:
                    again.setdefault(x, {})[n] = None
            for g in targets:
                self.copies.setdefault(g, {}).update(inside)
                for x in leaves:
                    if home[x.node] is not g:
                        readers.setdefault(x, {})[g] = None

    def readers(self, home: dict[Node, Group]) -> dict[Value, dict[Group, None]]:
        """For each value that other groups read than the one that computes it: these groups."""
        out: dict[Value, dict[Group, None]] = {}
        for n in self.nodes:
            own = home[n]
            for v in n.inputs:
                if own is not home[v.node]:
                    found = out.get(v)
                    if found is None:
                        out[v] = {own: None}
                    else:
                        found[own] = None
        return out

    def say_again(
        self, v: Value, inside: dict[Node, None], leaves: dict[Value, None],
        home: dict[Node, Group],
    ) -> None:  # fmt: skip
        """Write down what is stored, because what reads it is computed again in other kernels."""
        assert self.journal is not None
        own = home[v.node]
        for x in leaves:
            if home[x.node] is own:
                near = [u for u in self.users[x.node] if u in inside]
                say(self.journal, "again done", x.node, near, own.domain)

    def untaken(
        self, v: Value, targets: list[Group], inside: dict[Node, None], leaves: dict[Value, None],
        home: dict[Node, Group], readers: dict[Value, dict[Group, None]],
        again: dict[Value, dict[Node, None]],
    ) -> str:  # fmt: skip
        """Why groups cannot compute `v` each for itself; "" if they can."""
        for g in targets:
            if not self.takes(g, v, inside, leaves, home, again):
                return "again place"
        big = [x for x in leaves if same_shape(x.static_shape, v.static_shape)]
        extra = sum(g not in readers.get(x, ()) for x in big for g in targets)
        return "again loads" if extra > len(targets) else ""

    def cone(
        self, v: Value, home: dict[Node, Group], readers: dict[Value, dict[Group, None]],
        inside: dict[Node, None], leaves: dict[Value, None],
    ) -> str:  # fmt: skip
        """Find what it takes to make `v`: nodes, and values in memory; what keeps from it."""
        own = home[v.node]
        cost = 0
        stack = [v]
        while stack:
            x = stack.pop()
            n = x.node
            if n in inside or is_scalar_constant(x):
                continue
            if x is not v and (home[n] is not own or x in readers or n in self.fetched):
                leaves[x] = None
                continue
            if not is_pointwise(n) or n.op.fails or len(n.outputs) != 1:
                return "again op"
            if not same_shape(x.static_shape, v.static_shape):
                return "again op"
            inside[n] = None
            cost += 14 if n.op.name in COSTLY else 1
            if cost > RECOMPUTE:
                return "again cost"
            stack += n.inputs
        return ""

    def takes(
        self, g: Group, v: Value, inside: dict[Node, None], leaves: dict[Value, None],
        home: dict[Node, Group], again: dict[Value, dict[Node, None]],
    ) -> bool:  # fmt: skip
        """Whether group `g` may compute `v` itself, at each place where it reads it."""
        copies = self.copies.get(g, {})
        if g.closed or not same_shape(v.static_shape, g.domain):
            return False
        if len(g.nodes) + len(copies) + len(inside) > LIMIT:
            return False
        users = [u for u in self.users[v.node] if home[u] is g]
        users += [n for n in again.get(v, ()) if n in copies]
        if not all(is_pointwise(u) or is_reduction(u) for u in users):
            return False
        if g.views:
            return False
        if g.contracts:
            shape = v.static_shape or ()
            return len(shape) == 2 or all(
                same_shape(x.static_shape, shape) or len(x.static_shape or ()) <= 1 for x in leaves
            )
        ranks = {len(x.static_shape or ()) for x in leaves}
        return all(r == len(g.domain or ()) or r <= 1 for r in ranks)

    def feeds_contraction(self, n: Node, g: Group) -> bool:
        near = self.users[n] if self.products else ()
        return any(u in self.products and self.group[u].root() is g for u in near)

    @staticmethod
    def reduction_misfit(n: Node, g: Group, users: list[Node]) -> str:
        """Whether the group can go on with the results of a reduction, or with its rows."""
        if n.op.facts.get("alone"):
            return "alone"
        if g.views or g.contracts:
            return "reduction view" if g.views else "reduction product"
        full = n.inputs[0].static_shape
        if g.axes is not None:
            if g.axes != reduction_axes(n):
                return "axes"
            if not same_shape(g.domain, full):
                return "space"
            if any(is_view(u) for u in users):
                return "reduction user"
            return "" if row_aligned(n, g, users) else "rows"
        # the group so far is pointwise: either it works on the results, or on the full shape
        if not all(map(is_pointwise, users)):
            return "reduction user"
        if same_shape(g.domain, full):
            return "" if n.attrs.get("keepdims") else "keepdims"
        return "" if same_shape(g.domain, n.outputs[0].static_shape) else "space"

    # ---------------------------------------------------------------- building

    def emit(self) -> Graph:
        """One fused node a group, in an order in which inputs come first."""
        groups: dict[Group, list[Node]] = {}
        for n in self.nodes:  # in topological order
            groups.setdefault(self.group[n].root(), []).append(n)
        place = {n: i for i, n in enumerate(self.nodes)}
        lists: list[tuple[Group, list[Node], list[Node]]] = []
        for g in sorted(groups, key=lambda g: -g.height):
            own = groups[g]
            members = [*own, *self.copies.get(g, {})]
            if len(members) > len(own):
                members.sort(key=place.__getitem__)
            rows = self.rows_alone(g, members)
            if rows:  # no reduction joined the values of one number a row: a kernel of their own
                lists.append((g, rows, [n for n in own if n in rows]))
                members = [n for n in members if n not in rows]
                own = [n for n in own if n not in rows]
            lists.append((g, members, own))
        needed: set[Value] = set(self.g.roots)
        for _, members, _ in lists:
            inside = set(members)
            needed.update(v for n in members for v in n.inputs if v.node not in inside)
        new: dict[Value, Value] = {}
        for g, members, own in lists:
            if g.closed:
                for n in members:
                    inputs = tuple(new.get(v, v) for v in n.inputs)
                    if inputs != n.inputs:
                        made = Node(
                            n.op, inputs, n.attrs, [v.type for v in n.outputs], n.name, (), n.source
                        )
                        new.update(zip(n.outputs, made.outputs, strict=True))
                continue
            outs = [v for n in own for v in n.outputs if v in needed]
            if not outs:
                continue
            node = make_fused(self.needed_for(members, outs), outs, new)
            new.update(zip(outs, node.outputs, strict=True))
        log = journal.current()
        if log is not None:
            log.moved(new)
        return self.g.with_roots(lambda v: new.get(v, v))

    @staticmethod
    def needed_for(members: list[Node], outs: list[Value]) -> list[Node]:
        """The members that `outs` are made from."""
        want = {v.node for v in outs}
        keep: list[Node] = []
        for n in reversed(members):
            if n in want:
                keep.append(n)
                want.update(v.node for v in n.inputs)
        return keep[::-1]

    @staticmethod
    def rows_alone(g: Group, members: list[Node]) -> list[Node]:
        if g.axes is None or g.closed or any(is_reduction(n) for n in members):
            return []
        return [n for n in members if not same_shape(n.outputs[0].static_shape, g.domain)]


def top_height(groups: Sequence[Group]) -> int:
    return max((g.height + 1 for g in groups), default=0)
