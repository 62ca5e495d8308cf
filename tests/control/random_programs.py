"""Random programs of control flow: `program` writes the text of one, the same for each seed.

The text defines ``build(tf)``, which gives a result, what it is differentiated with respect to,
and the placeholders. `record_random_programs.py` writes down what TensorFlow 1.15 says.
"""

import random

import numpy as np

UNARY = [
    "tf.tanh(%s)", "tf.sin(%s)", "tf.sigmoid(%s)", "%s*0.5", "-%s", "tf.square(%s)*0.3",
    "tf.nn.relu(%s)", "tf.exp(-tf.square(%s))", "tf.identity(%s)", "tf.stop_gradient(%s)",
    "tf.reverse(%s,[0])", "tf.nn.softmax(%s)", "tf.abs(%s)",
]  # fmt: skip
CONSTRUCTS = "cond while map scan foldl array while cond read case several growing".split()


class Gen:
    """Writes one program: each method records statements and gives the name of a vector of three.

    A scope is what may be read, by kind: vectors V, scalars S, integers I.
    """

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = 0
        self.lines = []
        self.budget = 14

    def name(self, p="t"):
        self.n += 1
        return f"{p}{self.n}"

    def emit(self, ind, text):
        self.lines.append("    " * ind + text)

    def pick(self, sc, kind):
        return self.r.choice(sc[kind])

    def unary(self, x):
        return self.r.choice(UNARY) % x

    def pred(self, sc):
        k = self.r.randrange(5)
        if k == 0:
            v = self.pick(sc, "V")
            return f"tf.reduce_sum({v}) > {self.r.choice(['0.', '0.5', '-0.5'])}"
        if k == 1:
            s = self.pick(sc, "S")
            return f"{s} > {self.r.choice(['0.', '0.3'])}"
        if k == 2:
            i = self.pick(sc, "I")
            return f"tf.equal({i} % 2, {self.r.choice('01')})"
        if k == 3:
            i = self.pick(sc, "I")
            return f"{i} < {self.r.choice('123')}"
        return self.r.choice(["b0", "b1"])

    def vector(self, ind, sc, depth):
        """One more vector in the scope."""
        out = self.name("v")
        kinds = ["unary", "binary", "binary", "product", "gather", "sum"]
        if depth > 0 and self.budget > 0:
            kinds += CONSTRUCTS
        kind = self.r.choice(kinds)
        if kind in CONSTRUCTS:
            self.budget -= 1
            getattr(self, kind + "_")(ind, sc, depth - 1, out)
        else:
            self.emit(ind, f"{out} = {self.simple(kind, sc)}")
        sc["V"].append(out)
        return out

    def simple(self, kind, sc):
        if kind == "unary":
            return self.unary(self.pick(sc, "V"))
        if kind == "binary":
            a, b = self.pick(sc, "V"), self.pick(sc, self.r.choice("VVS"))
            forms = ["%s + %s", "%s * %s", "%s - %s", "tf.maximum(%s, %s)", "%s * %s"]
            return self.r.choice(forms) % (a, b)
        if kind == "product":
            return f"tf.reshape(tf.matmul(tf.reshape({self.pick(sc, 'V')}, [1, 3]), m), [3])"
        if kind == "gather":
            return f"tf.gather(table, tf.floormod({self.pick(sc, 'I')}, 5))"
        return f"{self.pick(sc, 'V')} + {self.pick(sc, 'V')}"

    def block(self, ind, sc, depth, count=None):
        """The inside of a function; the name of the last vector."""
        sc = {t: list(v) for t, v in sc.items()}
        for _ in range(count or self.r.randrange(1, 3)):
            self.vector(ind, sc, depth)
            if self.r.random() < 0.3:
                s = self.name("s")
                kind = self.r.choice(["sum", "mean", "max"])
                self.emit(ind, f"{s} = tf.reduce_{kind}({sc['V'][-1]})")
                sc["S"].append(s)
        return sc["V"][-1]

    def inner(self, sc, vectors=(), integers=(), scalars=()):
        """A scope with more to read."""
        made = {t: list(v) for t, v in sc.items()}
        made["V"] += vectors
        made["I"] += integers
        made["S"] += scalars
        return made

    def function(self, ind, sc, depth, count=None):
        f = self.name("f")
        self.emit(ind, f"def {f}():")
        self.emit(ind + 1, f"return {self.block(ind + 1, sc, depth, count)}")
        return f

    def cond_(self, ind, sc, depth, out):
        f, g = self.name("f"), self.name("g")
        for name in (f, g):
            self.emit(ind, f"def {name}():")
            self.emit(ind + 1, f"return {self.block(ind + 1, sc, depth)}")
        self.emit(ind, f"{out} = tf.cond({self.pred(sc)}, {f}, {g})")

    def case_(self, ind, sc, depth, out):
        a, b, c = [self.function(ind, sc, depth, 1) for _ in range(3)]
        pairs = f"[({self.pred(sc)}, {a}), ({self.pred(sc)}, {b})]"
        self.emit(ind, f"{out} = tf.case({pairs}, default={c})")

    def trip(self, sc):
        other = f"tf.floormod({self.pick(sc, 'I')}, 4)"
        return self.r.choice(["0", "1", "2", "3", "3", "k", other])

    def while_(self, ind, sc, depth, out):
        c, b, i, a = [self.name(p) for p in "cbia"]
        extra = self.r.random() < 0.3
        trip, n = self.trip(sc), self.name("n")
        self.emit(ind, f"{n} = {trip}")
        test = f"{i} < {n}"
        if extra:
            test = f"tf.logical_and({i} < {n}, tf.reduce_sum({a}) < 20.)"
        self.emit(ind, f"def {c}({i}, {a}): return {test}")
        self.emit(ind, f"def {b}({i}, {a}):")
        v = self.block(ind + 1, self.inner(sc, [a, a, a], [i]), depth)
        self.emit(ind + 1, f"return {i} + 1, {v}")
        more = ""
        for chance, text in (
            (0.2, "maximum_iterations=2"), (0.15, "back_prop=False"), (0.2, "swap_memory=True"),
            (0.2, "parallel_iterations=1"),
        ):  # fmt: skip
            if self.r.random() < chance:
                more += ", " + text
        self.emit(ind, f"{out} = tf.while_loop({c}, {b}, [0, {self.pick(sc, 'V')}]{more})[1]")

    def several_(self, ind, sc, depth, out):
        """A loop of several variables."""
        c, b, i, a, d, s = [self.name(p) for p in "cbiads"]
        self.emit(ind, f"def {c}({i}, {a}, {d}, {s}): return {i} < {self.trip(sc)}")
        self.emit(ind, f"def {b}({i}, {a}, {d}, {s}):")
        v = self.block(ind + 1, self.inner(sc, [a, a, d], [i], [s]), depth)
        nd = self.r.choice([a, v, d, f"{d} + {a} * 0.5"])
        ns = self.r.choice([s, f"{s} * 0.5", f"tf.reduce_mean({v})", f"{s} + tf.reduce_sum({d})"])
        self.emit(ind + 1, f"return {i} + 1, {v}, {nd}, {ns}")
        w = self.name("w")
        first = [self.pick(sc, k) for k in "VVS"]
        self.emit(ind, f"{w} = tf.while_loop({c}, {b}, [0, {', '.join(first)}])")
        forms = [f"{w}[1]", f"{w}[1] + {w}[2]", f"{w}[2] * {w}[3]", f"{w}[1] + {w}[3]"]
        self.emit(ind, f"{out} = {self.r.choice(forms)}")

    def growing_(self, ind, sc, depth, out):
        """A loop variable that grows along its first axis."""
        i, a, b, w = [self.name(p) for p in "iabw"]
        self.emit(ind, f"def {b}({i}, {a}):")
        v = self.block(ind + 1, self.inner(sc, (), [i]), depth)
        g = self.r.choice([
            f"tf.concat([{a}, tf.expand_dims({v}, 0)], 0)",
            f"tf.concat([{a}[:1] * 0.5, tf.expand_dims({v}, 0) , {a}], 0)", f"{a}[:, :] + {v}",
        ])  # fmt: skip
        self.emit(ind + 1, f"return {i} + 1, {g}")
        test = f"lambda {i}, {a}: {i} < {self.trip(sc)}"
        first = f"[0, tf.expand_dims({self.pick(sc, 'V')}, 0)]"
        shapes = "shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 3])]"
        self.emit(ind, f"{w} = tf.while_loop({test}, {b}, {first}, {shapes})[1]")
        forms = [f"tf.reduce_sum({w}, 0)", f"{w}[0] * {w}[-1]", f"tf.reduce_mean({w}, 0)"]
        self.emit(ind, f"{out} = {self.r.choice(forms)}")

    def elems(self, sc):
        stacked = f"tf.stack([{self.pick(sc, 'V')}, {self.pick(sc, 'V')}])"
        return self.r.choice(["rows", "rows", "fixed", stacked])

    def map_(self, ind, sc, depth, out):
        f, e = self.name("f"), self.name("e")
        self.emit(ind, f"def {f}({e}):")
        self.emit(ind + 1, f"return {self.block(ind + 1, self.inner(sc, [e, e]), depth)}")
        self.emit(ind, f"{out} = tf.reduce_sum(tf.map_fn({f}, {self.elems(sc)}), 0)")

    def folding(self, ind, sc, depth):
        f, a, e = [self.name(p) for p in "fae"]
        self.emit(ind, f"def {f}({a}, {e}):")
        self.emit(ind + 1, f"return {self.block(ind + 1, self.inner(sc, [e, a]), depth)}")
        return f, self.r.choice(["", f", initializer={self.pick(sc, 'V')}"])

    def scan_(self, ind, sc, depth, out):
        f, first = self.folding(ind, sc, depth)
        first += self.r.choice(["", ", reverse=True"])
        form = self.r.choice(["tf.reduce_sum(%s, 0)", "%s[-1]", "tf.reduce_mean(%s, 0)"])
        self.emit(ind, f"{out} = " + form % f"tf.scan({f}, {self.elems(sc)}{first})")

    def foldl_(self, ind, sc, depth, out):
        f, first = self.folding(ind, sc, depth)
        kind = self.r.choice(["foldl", "foldr"])
        self.emit(ind, f"{out} = tf.{kind}({f}, {self.elems(sc)}{first})")

    def array_(self, ind, sc, depth, out):
        """An array that a loop writes."""
        t, b, i, a, w = [self.name(p) for p in "Tbiaw"]
        size = self.r.choice(["3", "3", "k"])
        grows = self.r.choice(["", ", dynamic_size=True"])
        clear = self.r.choice(["", ", clear_after_read=False"])
        self.emit(ind, f"{t} = tf.TensorArray(tf.float32, {'0' if grows else size}{grows}{clear})")
        self.emit(ind, f"def {b}({i}, {a}, {t}):")
        v = self.block(ind + 1, self.inner(sc, [a, a], [i]), depth)
        at = i if grows else self.r.choice([i, i, i, f"{size} - 1 - {i}"])
        x = self.r.choice([v, a, f"{v} * {a}"])
        self.emit(ind + 1, f"return {i} + 1, {v}, {t}.write({at}, {x})")
        test = f"lambda {i}, {a}, {t}: {i} < {size}"
        self.emit(ind, f"{w} = tf.while_loop({test}, {b}, [0, {self.pick(sc, 'V')}, {t}])")
        forms = [
            f"tf.reduce_sum({w}[2].stack(), 0)", f"{w}[1] + {w}[2].stack()[0]", f"{w}[2].read(1)",
            f"tf.reduce_mean({w}[2].gather([0, 2]), 0)",
            f"tf.reshape({w}[2].concat(), [-1, 3])[1]",
        ]  # fmt: skip
        self.emit(ind, f"{out} = {self.r.choice(forms)}")

    def read_(self, ind, sc, depth, out):
        """An array that a loop reads."""
        t, b, i, a, _ = [self.name(p) for p in "Tbiaw"]
        rows = self.r.choice(["rows", "fixed"])
        size = "tf.shape(rows)[0]" if rows == "rows" else "2"
        clear = self.r.choice(["", ", clear_after_read=False"])
        self.emit(ind, f"{t} = tf.TensorArray(tf.float32, {size}{clear}).unstack({rows})")
        self.emit(ind, f"def {b}({i}, {a}):")
        e = self.name("e")
        at = self.r.choice([i, i, f"{size} - 1 - {i}"])
        self.emit(ind + 1, f"{e} = {t}.read({at})")
        v = self.block(ind + 1, self.inner(sc, [a, e], [i]), depth)
        self.emit(ind + 1, f"return {i} + 1, {v}")
        test = f"lambda {i}, {a}: {i} < {size}"
        self.emit(ind, f"{out} = tf.while_loop({test}, {b}, [0, {self.pick(sc, 'V')}])[1]")


HEAD = """def build(tf):
    x = tf.placeholder(tf.float32, [3], name="x")
    s = tf.placeholder(tf.float32, [], name="s")
    rows = tf.placeholder(tf.float32, [None, 3], name="rows")
    fixed = tf.placeholder(tf.float32, [2, 3], name="fixed")
    m = tf.placeholder(tf.float32, [3, 3], name="m")
    table = tf.placeholder(tf.float32, [5, 3], name="table")
    k = tf.placeholder(tf.int32, [], name="k")
    b0 = tf.placeholder(tf.bool, [], name="b0")
    b1 = tf.placeholder(tf.bool, [], name="b1")
"""


def program(seed):
    """The text of a program."""
    g = Gen(seed)
    sc = {"V": ["x", "x", "fixed[0]"], "S": ["s"], "I": ["k"]}
    for _ in range(g.r.randrange(2, 4)):
        g.vector(1, sc, 3)
    y = " + ".join(dict.fromkeys(sc["V"][3:]))
    g.emit(1, f"y = {y}")
    xs = "x s rows fixed m table".split()
    fed = ", ".join([f"{n}={n}" for n in [*xs, "k", "b0", "b1"]])
    g.emit(1, f"return y, [{', '.join(xs)}], dict({fed})")
    return HEAD + "\n".join(g.lines) + "\n"


def feeds(seed, placeholders):
    """What the placeholders are fed."""
    r = np.random.RandomState(seed)
    v = {"x": r.randn(3), "s": r.randn(), "rows": r.randn(r.choice([1, 2, 4]), 3)}
    v.update(fixed=r.randn(2, 3), m=r.randn(3, 3) * 0.5, table=r.randn(5, 3))
    v = {k: np.float32(x) for k, x in v.items()}
    v.update(k=np.int32(3), b0=bool(r.randint(2)), b1=bool(r.randint(2)))
    return {placeholders[k]: x for k, x in v.items()}


def observed(tf, seed):
    """Static shape and value of a program's result and of its gradients, None without one."""
    tf.reset_default_graph()
    made = {}
    exec(program(seed), made)
    y, xs, placeholders = made["build"](tf)
    found = tf.gradients(tf.reduce_sum(y * y), xs)
    wanted = [y, *[tf.convert_to_tensor(g) for g in found if g is not None]]
    with tf.Session() as sess:
        values = sess.run(wanted, feeds(seed, placeholders))
    facts = [[str(t.shape), np.asarray(v, np.float64).tolist()] for t, v in zip(wanted, values)]  # noqa: B905
    of = iter(facts[1:])
    return [facts[0], *[None if g is None else next(of) for g in found]]
