"""`explain`: what it can be asked, what it answers, and why sessions compiled what they did."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.cli import main
from graphc.face.dump import compile_run
from graphc.ir import journal

# ------------------------------------------------------------------------- questions


def program() -> tuple[Any, Any, Any]:
    x = tf.placeholder(tf.float32, [None, 16], name="x")
    w = tf.get_variable("w", [16, 4])
    h = tf.tanh(tf.matmul(x, w, name="p") + 1.0, name="h")
    loss = tf.reduce_mean(tf.square(h), name="loss")
    return x, h, loss


@pytest.mark.parametrize(
    "ask",
    [
        lambda h: h, lambda h: h.op, lambda h: "h:0", lambda h: "h",
        lambda h: str(h.op.source[0]), lambda h: f"test_why.py:{h.op.source[0].line}",
        lambda h: h.op.source[0].line,
    ],
    ids=["tensor", "operation", "tensor name", "name", "path", "file", "line"],
)  # fmt: skip
def test_ways_to_ask(ask: Any) -> None:
    with tf.Graph().as_default():
        _, h, loss = program()
        answer = tf.explain(ask(h), loss)
    assert h.op in answer.nodes
    place = next(p for p in answer.places if h.op in p.nodes)
    assert "tanh" in place.kernel
    assert "h" in {n.name for n in place.nodes}
    assert f"test_why.py:{h.op.source[0].line}" in str(answer)


def test_a_variable_and_a_feed() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [3], name="x")
        w = tf.get_variable("w", [3])
        y = x * w
        assert "read and write its memory" in str(tf.explain(w, y))
        assert "is fed" in str(tf.explain(x, y))


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("nothing", KeyError, "nothing"),
        ("test_why.py:3", ValueError, "the nearest lines are"),
        ("x:7", KeyError, "does not exist"),
        ("other.py:3", ValueError, "recorded in 'other.py'"),
        (3, ValueError, "no operation was recorded at line 3"),
        (None, ValueError, "give a tensor"),
        (3.5, TypeError, "3.5|float"),
    ],
)
def test_bad_questions(what: Any, error: type[Exception], words: str) -> None:
    with tf.Graph().as_default():
        _, _, loss = program()
        with pytest.raises(error, match=words):
            tf.explain(what, loss)


def test_closed_session() -> None:
    with tf.Graph().as_default():
        _, h, _ = program()
        session = tf.Session()
        session.close()
        with pytest.raises(RuntimeError, match="closed"):
            tf.explain(h, session=session)


def test_without_fetches_all_that_follows_counts() -> None:
    with tf.Graph().as_default():
        _, h, loss = program()
        answer = tf.explain(h)
    assert loss.op in answer.places[0].others


def test_of_a_session_the_last_run_that_needs_it() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x, h, loss = program()
        session.run(tf.global_variables_initializer())
        session.run(loss, {x: np.ones((6, 16))})
        session.run(tf.get_default_graph().get_tensor_by_name("p:0"), {x: np.ones((3, 16))})
        before = dict(session._executor.prepared)
        answer = tf.explain(h)
        assert loss.op in answer.places[0].others
        (size,) = tf.explain("p", loss, {x: np.ones((6, 16))}).because("size")
        assert "(6 in this run)" in size.text
        assert session._executor.prepared == before
        assert len(session._executor.causes) == 3


def test_a_train_step_leads_to_its_updates() -> None:
    with tf.Graph().as_default():
        _, h, loss = program()
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, name="train")
        answer = tf.explain(train)
        assert any("train/update_w" in n.name for p in answer.places for n in p.nodes)
        gradients = tf.explain(h, [loss, train]).gradients
        assert "gradients in" in str(tf.explain(h, [loss, train]))
    assert gradients


def test_fates() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        folded = tf.exp(tf.constant(1.0), name="folded")
        gone = tf.multiply(x, 1.0, name="gone")
        size = tf.shape(x, name="size")
        other = tf.sin(x, name="other")
        y = gone * folded
        fates = {n.name: tf.explain(n, [y, size]).fates[0][1] for n in (folded.op, gone.op)}
        assert "computed before the run (fold)" in fates["folded"]
        assert "is 'x' itself (simplify" in fates["gone"]
        assert "mul" in fates["gone"]
        assert tf.explain(other, y).fates[0][1] == "is not needed for what is fetched"


def test_profile() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x, h, loss = program()
        session.run(tf.global_variables_initializer())
        answer = tf.explain(h, loss, {x: np.ones((64, 16))}, profile=True)
    place = answer.places[0]
    assert place.nanoseconds
    assert place.nanoseconds > 0
    assert place.flops > 0
    assert "GFLOP/s" in str(answer)


def test_what_does_not_compile_is_explained_up_to_the_failure() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        h = tf.exp(x, name="h")
        y = tf.add(h, tf.placeholder(tf.float32, [None, 4], name="z"), name="y")
        feeds = {x: np.ones((3, 4)), "z:0": np.ones((2, 4))}
        answer = tf.explain(h, y, feeds)
    assert "Incompatible shapes: [3,4] vs. [2,4]" in answer.error
    assert "it does not compile" in str(answer)
    assert "exp" in answer.kernels[0]


def test_names_of_any_kind_keep_to_their_line(tmp_path: Path) -> None:
    script = tmp_path / "a\nb<i>é.py"
    script.write_text("y = tf.exp(x)\n")
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        space = {"tf": tf, "x": x}
        exec(compile(script.read_text(), str(script), "exec"), space)
        text = str(tf.explain(space["y"]))
    assert "a\\nb<i>é.py:1" in text


def test_without_a_journal_nothing_is_kept() -> None:
    assert journal.current() is None
    with tf.Graph().as_default():
        _, h, _ = program()
        tf.explain(h)
    assert journal.current() is None


def test_explaining_changes_nothing() -> None:
    """The kernels are those that are compiled without a journal."""
    from graphc.ir.text import print_graph

    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 16], name="x")
        y = tf.nn.softmax(tf.maximum(x, -x) * 2.0 + x * 3.0, name="y")
        _, z = tf.while_loop(lambda i, z: i < 3, lambda i, z: (i + 1, z * y + 1.0), [0, y])
        (plain,) = compile_run([y, z])
        with journal.recording():
            (told,) = compile_run([y, z])
    a, b = (p.compilation for p in (plain, told))
    assert print_graph(a.plan.graph) == print_graph(b.plan.graph)
    assert list(a.plan.facts.guards) == list(b.plan.facts.guards)


# ------------------------------------------------------------------------- compilations


def causes(session: Any) -> list[str]:
    return [r.text for r in tf.explain(session=session).reasons]


def feed_twice(first: Any, second: Any, shape: Any, two: bool = False) -> tuple[str, str]:
    """Kind and text of the second compilation of a run with other sizes."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, shape, name="x")
        z = tf.placeholder(tf.float32, [None], name="z")
        y = tf.reduce_sum(x) + tf.reduce_sum(z) if two else x * 2.0
        for a in (first, second):
            a, b = a if two else (a, None)
            session.run(y, {x: np.ones(a), z: np.ones(b)} if two else {x: np.ones(a)})
        found = tf.explain(session=session).reasons
    return (found[1].stage, found[1].text) if len(found) > 1 else ("", "")


@pytest.mark.parametrize(
    ("first", "second", "shape", "two", "kind", "words"),
    [
        ((3, 4), (9, 4), [None, 4], False, "", ""),
        ((3, 4), (1, 4), [None, 4], False, "pattern", "axis 0 of 'x' was 3, now 1"),
        ((3, 4), (3,), None, False, "pattern", "'x' had 2 axes"),
        (((3,), 3), ((3,), 5), [None], True, "pattern", "'x' and axis 0 of 'z' were equal"),
        (((3,), 5), ((3,), 3), [None], True, "pattern", "were not equal, and now are"),
    ],
)
def test_pattern(first: Any, second: Any, shape: Any, two: bool, kind: str, words: str) -> None:
    got, text = feed_twice(first, second, shape, two)
    assert got == kind
    assert words in text


def test_guard() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, None], name="x")
        z = tf.placeholder(tf.float32, [None, None], name="z")
        y = tf.concat([x, x], 0) + z  # 2 b is n: nothing says so before the run
        session.run(y, {x: np.ones((3, 4)), z: np.ones((6, 4))})
        session.run(y, {x: np.ones((5, 4)), z: np.ones((10, 4))})  # holds again
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(y, {x: np.ones((5, 4)), z: np.ones((6, 4))})
        w = tf.reshape(x, [-1, 6]) + z
        session.run(w, {x: np.ones((3, 4)), z: np.ones((2, 6))})
        found = tf.explain(session=session).reasons
    assert [r.stage for r in found] == ["first", "fetches"]


def test_guard_that_fails() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        n = tf.placeholder(tf.int32, [], name="n")
        y = x[:n] * 2.0
        session.run(y, {x: np.ones(9), n: 3})
        session.run(y, {x: np.ones(9), n: 12})
        found = tf.explain(session=session).reasons
    assert found[-1].stage == "guard"
    assert "the plan before is for" in found[-1].text
    assert "12 (fed as 'n')" in found[-1].text


def test_variable_of_another_shape() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable([1.0, 2.0], validate_shape=False, name="w")
        session.run(w.initializer)
        y = tf.reduce_sum(w)
        session.run(y)
        session.run(tf.assign(w, tf.ones([5]), validate_shape=False))
        session.run(y)
        found = tf.explain(session=session).reasons
    assert found[-1].stage == "variable"
    assert "'w' had the shape [2], now [5]" in found[-1].text


def test_other_fetches_and_feeds() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder_with_default(tf.ones([3]), [None], name="x")
        y, z = x * 2.0, x * 3.0
        session.run(y)
        session.run([y, z])
        session.run(y, {x: [1.0, 2.0]})
        session.run(y, {x: [1.0, 2.0, 4.0]})
        found = tf.explain(session=session).reasons
        assert [r.stage for r in found] == ["first", "fetches", "feeds"]
        assert "with nothing fed, now with x:0" in found[-1].text
        assert tf.explain(z, session=session).because("compile")
        only = tf.explain(z, session=session).because("compile")
    assert [r.stage for r in only] == ["fetches"]


def test_a_graph_that_grows_in_a_loop() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        ys = [tf.add(x, float(i), name="y") for i in range(3)]
        for y in ys:  # of one line, but recorded before
            session.run(y, {x: [1.0]})
        for i in range(3):
            session.run(tf.multiply(x, float(i), name="z"), {x: [1.0]})
        found = tf.explain(session=session).reasons
    stages = ["first", "fetches", "fetches", "fetches", "recorded", "recorded"]
    assert [r.stage for r in found] == stages
    assert "'z_2' was recorded after the run before, at the line of 'z_1'" in found[-1].text
    assert "before the loop" in found[-1].remedy


def test_decisions_look_for_a_journal_seldom(monkeypatch: Any) -> None:
    from graphc.ir import build, graph
    from graphc.passes import fold, fuse, rewrite, share

    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        for _ in range(100):
            x = tf.tanh(x + 1.0) * 0.5 + x
        looks = 0

        def counted() -> None:
            nonlocal looks
            looks += 1

        for module in (build, graph, fold, fuse, rewrite, share):
            monkeypatch.setattr(module.journal, "current", counted)
        (part,) = compile_run(x)
    assert looks < 3 * len(part.compilation.frozen.graph.nodes())


def test_parts() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        y = tf.py_func(np.sin, [x * 2.0], tf.float32) + 1.0
        session.run(y, {x: [1.0]})
        assert {r.stage for r in tf.explain(session=session).reasons} <= {"first", "part"}


def test_causes_are_bounded() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        for i in range(40):
            session.run(x * float(i), {x: [1.0]})
        assert len(causes(session)) == 32


# ------------------------------------------------------------------------- the command line

SCRIPT = """\
import numpy as np
import graphc as tf
x = tf.placeholder(tf.float32, [None, 4], name="x")
m = tf.reduce_max(x, axis=0, name="m")
y = tf.subtract(tf.exp(x), m, name="y")
with tf.Session() as s:
    s.run(y, {x: np.ones((3, 4))})
    s.run(y, {x: np.ones((1, 4))})
    s.run(m, {x: np.ones((3, 4))})
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "small program.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("ask", [["--line", "4"], ["--tensor", "m:0"], ["--tensor", "m"]])
def test_command(script: Path, capsys: Any, ask: list[str], before: bool) -> None:
    with tf.Graph().as_default():
        given = [*ask, str(script)] if before else [str(script), *ask]
        assert main(["explain", *given]) == 0
    out = capsys.readouterr().out
    assert "'m' (reduce_max, small program.py:4)" in out
    assert "reduce with keepdims=True" in out
    assert "also computed in compilations" in out


def test_command_with_times(script: Path, capsys: Any) -> None:
    with tf.Graph().as_default():
        assert main(["explain", "--profile", "--line", "4", str(script)]) == 0
    assert " us, " in capsys.readouterr().out
    with tf.Graph().as_default():
        assert main(["explain", str(script), "--line", "4", "--profile"]) == 0
    assert " us, " in capsys.readouterr().out


def test_command_without_a_question(script: Path, capsys: Any) -> None:
    with tf.Graph().as_default():
        assert main(["explain", str(script)]) == 0
    out = capsys.readouterr().out
    assert "axis 0 of 'x' was 3, now 1" in out
    assert out.count("compiled [") == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--line", "x"], "--line takes a number"),
        (["--line", "2"], "the nearest lines are 3, 4, 5"),
        (["--tensor", "q"], "'q'"),
        (["--line", "4", "--tensor", "m"], "not both"),
        (["--line", "4", "--run", "7"], "there is no compilation 7"),
    ],
)
def test_command_misused(script: Path, capsys: Any, given: list[str], words: str) -> None:
    with tf.Graph().as_default():
        assert main(["explain", *given, str(script)]) != 0
    assert words in capsys.readouterr().err
