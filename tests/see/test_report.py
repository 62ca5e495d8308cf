"""The data of reports: stages, differences, links, numbers; and what goes wrong."""

import errno
import re
import sys
from collections import Counter

import numpy as np
import pytest
from reports import gathered, training

import graphc as tf
from graphc.face.dump import compile_run, stages
from graphc.see.report import report, write
from graphc.see.report.compiled import Limits
from graphc.see.report.gather import gather
from graphc.see.report.page import page, unpacked


def expanded(part):
    """For each stage pairs of rows: before, after."""
    out = [[(-1, i) for i in part["stages"][0]["rows"]]]
    for s in part["stages"][1:]:
        before = [b for _, b in out[-1] if b >= 0]
        pairs, at = [], 0
        for r in s["rows"]:
            if isinstance(r, int):
                pairs += [(i, i) for i in before[at : at + r]]
                at += r
            else:
                pairs.append((r[0], r[1]))
                at += r[0] >= 0
        out.append(pairs)
    return out


@pytest.fixture(scope="module")
def data():
    return gathered()


@pytest.fixture(scope="module")
def part(data):
    (part,) = data["parts"]
    return part


def words(text):
    """How often each op stands in a printed graph."""
    ops = re.findall(r"^\s*%.* = (\w+)", text, re.M)
    return Counter(ops)


def test_every_stage_has_the_rows_that_it_prints(part) -> None:
    g, fetches, feed = training()
    with g.as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        (p,) = compile_run(fetches, feed, sess)
    texts = {name: make for name, make in stages(p.compilation, p.elements)}
    ops, kind = part["nodes"]["op"], part["nodes"]["kind"]
    for s, pairs in zip(part["stages"][1:], expanded(part)[1:], strict=True):
        mine = Counter(ops[b] for _, b in pairs if b >= 0 and not kind[b])
        assert mine == words(texts[s["name"]]()), s["name"]


def test_a_difference_begins_with_all_rows_of_the_stage_before(part) -> None:
    pairs = expanded(part)
    kind = part["nodes"]["kind"]
    for k in range(1, len(pairs)):
        before = Counter(b for _, b in pairs[k - 1] if b >= 0 and not kind[b])
        assert Counter(a for a, _ in pairs[k] if a >= 0 and not kind[a]) == before, k


def test_regions_stay_whole(part) -> None:
    kind, depth = part["nodes"]["kind"], part["nodes"]["depth"]
    for pairs in expanded(part)[1:]:
        opened = []
        for _, b in pairs:
            if b < 0:
                continue
            if kind[b] == "open":
                opened.append(depth[b])
            elif kind[b] == "close":
                assert opened.pop() == depth[b]
            elif kind[b] != "return" and depth[b]:
                assert opened
                assert depth[b] == opened[-1] + 1
        assert not opened


def test_differences_say_the_rule(part) -> None:
    names = part["nodes"]["name"]
    (s,) = [s for s in part["stages"] if s["name"] == "simplify"]
    said = {names[r[0]]: r[2] for r in s["rows"] if not isinstance(r, int) and len(r) > 2 and r[2]}
    assert said["layer/mul"] == "multiply(x, 1)"
    assert set(s["rules"]) == {rule for why in said.values() for rule in why.split("; ")}


def test_what_stands_for_a_node_is_said(part) -> None:
    nodes = part["nodes"]
    merged = [
        (nodes["op"][r[0]], nodes["op"][r[3]])
        for s in part["stages"] if s["name"].startswith("cse")
        for r in s["rows"] if not isinstance(r, int) and len(r) > 3
    ]  # fmt: skip
    assert merged
    assert all(a == b for a, b in merged)


def test_fusing_puts_each_node_beside_its_place_in_a_body(part) -> None:
    k = [s["name"] for s in part["stages"]].index("fuse")
    nodes = part["nodes"]
    pairs = [(a, b) for a, b in expanded(part)[k] if a >= 0 and b >= 0 and a != b]
    assert len(pairs) > 10
    assert all(nodes["op"][a] == nodes["op"][b] for a, b in pairs if not nodes["kind"][a])


def test_every_kernel_call_is_linked_with_recorded_ops_and_lines(data, part) -> None:
    rows = set(part["stages"][0]["rows"])
    recorded = part["nodes"]
    called = [s for s in part["steps"] if s["kernel"] >= 0]
    assert called
    linked = [s for s in called if set(part["came"].get(s["node"], ())) & rows]
    assert len(linked) == len(called)
    (product,) = [i for i in rows if recorded["name"][i] == "layer/product"]
    assert all("matmul" in s["name"] for s in called if product in part["came"][s["node"]])
    assert any(product in part["came"][s["node"]] for s in called)
    line = data["lines"][recorded["lines"][product][0]]
    assert data["files"][line[0]]["path"].endswith("reports.py")
    ((first, text),) = data["files"][line[0]]["pieces"]
    assert 'name="product"' in text[line[1] - first]


def test_gradients_belong_to_the_line_of_what_they_are_the_gradient_of(data, part) -> None:
    nodes = part["nodes"]
    (act,) = [i for i in part["stages"][0]["rows"] if nodes["name"][i] == "layer/act"]
    (grad,) = [i for i in part["stages"][0]["rows"] if nodes["op"][i] == "relu_grad"]
    assert nodes["lines"][grad][0] == nodes["lines"][act][0]
    assert len(nodes["lines"][grad]) == 2  # and to that of minimize


def test_numbers_are_those_of_the_profile(data, part) -> None:
    called = [s for s in part["steps"] if s["kernel"] >= 0]
    timed = [s for s in called if s["ns"]]
    assert len(timed) >= len(called) - 2
    product = next(s for s in timed if s["name"].endswith("_matmul_relu"))
    assert product["flops"] >= 2 * 6 * 8 * 4
    assert product["bytes"] >= 4 * (6 * 8 + 8 * 4 + 6 * 4)
    loop = [s for s in timed if s["count"] == 5]
    assert loop
    assert data["machine"]["flops"] > 1e9
    assert data["machine"]["bytes"] > 1e8


def test_buffers_that_live_together_do_not_overlap(part) -> None:
    buffers = part["memory"]["buffers"]
    assert buffers
    assert max(b["offset"] + b["bytes"] for b in buffers) == part["memory"]["total"]
    for i, a in enumerate(buffers):
        for b in buffers[:i]:
            together = a["first"] <= b["last"] and b["first"] <= a["last"]
            apart = (
                a["offset"] + a["bytes"] <= b["offset"] or b["offset"] + b["bytes"] <= a["offset"]
            )
            assert apart or not together


def test_kernels_come_with_all_their_code(part) -> None:
    for k in part["kernels"]:
        assert k["loops"].startswith("kernel ")
        assert k["native"]
        for made in k["native"]:
            assert "define" in made["llvm"]
            assert "define" in made["optimized"]
            assert re.search(r"^\s+(ret|retq)$", made["asm"], re.M) or "ret" in made["asm"]


def test_measuring_changes_no_variable() -> None:
    g, fetches, feed = training()
    with g.as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before = sess.run(tf.global_variables())
        gather(fetches, feed, sess, runs=3, native=False)
        for a, b in zip(before, sess.run(tf.global_variables()), strict=True):
            np.testing.assert_array_equal(a, b)


def test_without_a_session_nothing_is_run(tmp_path) -> None:
    g, fetches, feed = training()
    data = gather(fetches, feed, graph=g, native=False)
    assert data["untimed"] == "There are no times: without a session nothing is run."
    assert all(s["ns"] is None for p in data["parts"] for s in p["steps"])
    with g.as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        data = gather(fetches, None, sess, native=False)
    assert data["untimed"] == "There are no times: nothing is fed to x."


def test_a_run_in_parts() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None], name="x")
        y = tf.reduce_sum(tf.boolean_mask(x * 2.0, x > 0.5), name="y")
        data = gather(y, {x: [0.0, 1.0, 2.0]}, sess, runs=1)
    assert len(data["parts"]) == 2
    assert data["parts"][0]["title"].startswith("part 1 of 2")
    assert all(any(s["ns"] for s in p["steps"]) for p in data["parts"])


def test_fetches_of_any_kind() -> None:
    with tf.Graph().as_default() as g, tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None], name="x")
        v = tf.get_variable("v", [3])
        y = tf.py_func(lambda a: a + 1.0, [x * 2.0], tf.float32, name="host")
        y.set_shape([None])
        text = tf.summary.scalar("sum", tf.reduce_sum(y * 3.0))
        sess.run(tf.global_variables_initializer())
        fetches = {"list": [y, v], "summary": text, "name": "x:0", "nothing": v.initializer}
        data = gather(fetches, {x: [1.0, 2.0]}, sess, runs=1)
        assert g.finalized is False
    assert data["error"] is None
    assert not data["untimed"]
    names = {data["parts"][-1]["nodes"]["name"][i] for i in data["parts"][-1]["stages"][0]["rows"]}
    assert {"x", "v", "host", "v/Assign"} <= names
    page(data)


def test_it_says_why(part) -> None:
    """Reasons of kernel calls, and what became of ops that have no kernel."""
    for s in part["steps"]:
        for i in s.get("reasons", ()):
            assert part["reasons"][i]["text"]
    kinds = {part["reasons"][i]["kind"] for s in part["steps"] for i in s.get("reasons", ())}
    assert {"fuse", "buffer"} <= kinds
    fates = {part["nodes"]["name"][i]: text for i, text in part["fates"].items()}
    assert fates["x"] == "is fed: kernels read the array where it is"
    assert fates["layer/mul/y"] == "is a constant: a part of what reads it"


def test_what_a_user_adds_is_seen() -> None:
    """A rule and a pass of the user's own, by name, with what they changed; an op, fused."""
    from graphc import extend

    try:
        twice = extend.elementwise("twice", numpy=lambda x: x + x, scalar=lambda k, x: x + x)
        extend.rule(lambda x: tf.sinh(x) / tf.cosh(x), tf.tan, name="sinh over cosh", kinds="f")

        @extend.graph_pass(name="no_tanh")
        def no_tanh(g):
            return g.rebuild(lambda n, inputs: inputs[0] if n.op.name == "tanh" else None)

        with tf.Graph().as_default():
            x = tf.placeholder(tf.float32, [4], name="x")
            t = tf.tanh(x, name="t")
            y = twice(tf.sinh(t) / tf.cosh(t), name="y")
            passes = extend.passes(before={"simplify": "no_tanh"})
            data = gather(y, passes=passes, native=False)
    finally:
        extend.forget(*extend._ops, *extend._passes, *extend._rules)
    (part,) = data["parts"]
    stages = {s["name"]: s for s in part["stages"]}
    name, op = part["nodes"]["name"], part["nodes"]["op"]
    changed = [r for r in stages["no_tanh"]["rows"] if not isinstance(r, int) and len(r) > 2]
    assert ("t", "tanh") in [(name[r[0]], op[r[0]]) for r in changed if r[1] < 0]
    assert stages["simplify"]["rules"]["sinh over cosh"] == 1
    why = [r[2] for r in stages["simplify"]["rows"] if not isinstance(r, int) and len(r) > 2]
    assert "sinh over cosh" in "; ".join(why)
    assert any("twice" in k["loops"] for k in part["kernels"])


# ------------------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize("where", ["pure", "simplify", "plan", "kernels"])
def test_a_run_that_does_not_compile_shows_what_there_is(where, monkeypatch, tmp_path, capsys):
    from graphc.passes import pipeline
    from graphc.runtime import generating, plan, runs

    def fail(*args, **kwargs):
        raise RuntimeError("a fault <b>in</b> the compiler\nwith two lines")

    if where == "pure":
        monkeypatch.setattr(runs, "functionalize", fail)
    elif where == "simplify":
        monkeypatch.setitem(pipeline.PASSES, "simplify", fail)
    elif where == "plan":
        monkeypatch.setattr(plan, "make_plan", fail)
    else:
        monkeypatch.setattr(generating.codegen, "compile_all", fail)
    g, fetches, feed = training()
    with g.as_default(), tf.Session() as sess:
        data = gather(fetches, feed, sess)
        file = tf.report(fetches, tmp_path / "r.html", feed, sess)
    assert data["error"]["type"] == "RuntimeError"
    names = [s["name"] for s in data["parts"][0]["stages"]]
    last = {"pure": "recorded", "simplify": "stabilize", "plan": "share", "kernels": "share"}[where]
    assert names[-1] == last
    assert data["parts"][0]["stages"][0]["count"] > 20
    assert bool(data["parts"][0]["steps"]) == (where == "kernels")
    assert file.stat().st_size > 10_000
    said = capsys.readouterr().err
    assert said == (
        "graphc: RuntimeError: a fault <b>in</b> the compiler; the report shows what there is "
        "until then\n"
    )


def test_a_file_that_cannot_be_written(tmp_path, capsys, monkeypatch) -> None:
    g, fetches, feed = training()
    with g.as_default():
        folder = tmp_path / "no" / "folder"
        assert tf.report(fetches, folder / "r.html", feed, runs=0) is None
        said = capsys.readouterr().err
        assert said.startswith("graphc: cannot write the report to ")
        assert "No such file or directory" in said
        assert tf.report(fetches, tmp_path, feed, runs=0) is None
        assert "it is a folder" in capsys.readouterr().err

        old = tmp_path / "old.html"
        old.write_text("as it was")

        def full(*args, **kwargs):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("graphc.see.report.os.replace", full)
        assert tf.report(fetches, old, feed, runs=0) is None
        assert "No space left on device" in capsys.readouterr().err
    assert old.read_text() == "as it was"
    assert [p.name for p in tmp_path.iterdir()] == ["old.html"]


def test_what_cannot_be_fetched_or_fed_is_an_error() -> None:
    g, fetches, feed = training()
    with tf.Graph().as_default():
        other = tf.constant(1.0)
    with g.as_default():
        with pytest.raises(ValueError, match="not an element of this graph"):
            report(other, "never.html")
        with pytest.raises(ValueError, match="nothing to show"):
            report([], "never.html")
        with pytest.raises(TypeError):
            report(fetches, "never.html", {3: 4})
        sess = tf.Session()
        sess.close()
        with pytest.raises(RuntimeError, match="closed Session"):
            report(fetches, "never.html", feed, sess)


def test_a_page_that_would_be_too_large_says_what_it_leaves_out() -> None:
    g, fetches, feed = training()
    data = gather(fetches, feed, graph=g, limits=Limits(nodes=20, kernels=3))
    assert any(s.startswith("recorded: ") and "rows are left out" in s for s in data["left_out"])
    assert any(s.startswith("kernels: the text of ") for s in data["left_out"])
    for s, pairs in zip(data["parts"][0]["stages"], expanded(data["parts"][0]), strict=True):
        assert sum(b >= 0 for _, b in pairs) <= 20
        assert s["count"] > 0
    assert sum("loops" in k for k in data["parts"][0]["kernels"]) == 3
    page(data)


def test_the_page_holds_the_data_and_no_markup_of_the_graph() -> None:
    evil = "</script><script>alert(1)</script>"
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        y = tf.identity(x * 2.0, name="y")
        data = gather(y, title=evil + '"\n\u202eЖ', native=False)
    text = page(data)
    assert evil not in text
    assert "&lt;/script&gt;" in text
    assert text.isascii() or "\u202e" not in text
    back = unpacked(re.search(r'id="data">([^<]*)<', text)[1])
    assert back["title"] == evil + '"\n\u202eЖ'
    assert back["parts"][0]["nodes"] == data["parts"][0]["nodes"]
    assert not re.search(r'(src|href)="(?!data:)', text)  # nothing is loaded
    assert "http://www.w3.org/2000/svg" in text  # a name, not an address that is asked


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    import subprocess

    code = "import graphc, sys; assert not [m for m in sys.modules if m.startswith('graphc.see')]"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_the_session_has_it_too(tmp_path) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [2], name="x")
        file = sess.report(tf.exp(x), str(tmp_path / "s.html"), {x: [1.0, 2.0]}, runs=1)
        assert file == tmp_path / "s.html"
        (data,) = re.findall(r'id="data">([^<]*)<', file.read_text())
        assert unpacked(data)["runs"] == 1


def test_an_old_file_is_replaced(tmp_path) -> None:
    file = tmp_path / "r.html"
    file.write_text("old")
    with tf.Graph().as_default():
        data = gather(tf.constant([1.0]) * 2.0, native=False)
    assert write(data, file) == file
    assert file.read_text().startswith("<!DOCTYPE html>")
