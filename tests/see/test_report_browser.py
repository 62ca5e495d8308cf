"""Reports in a real browser: they open quickly and without errors, and every link leads on."""

import json

import numpy as np
import pytest
from reports import Browser, browser, training

import graphc as tf
from graphc.see.report import write
from graphc.see.report.compiled import Limits
from graphc.see.report.gather import gather


@pytest.fixture(scope="module")
def page():
    with browser() as b:
        yield b


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    g, fetches, feed = training()
    with g.as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return tf.report(fetches, tmp_path_factory.mktemp("report") / "step.html", feed, sess)


@pytest.fixture
def opened(page, file) -> Browser:
    page.open(file)
    yield page
    assert page.console == []


def pinned(page):
    return page.do("report.pinned && {kind: report.pinned.kind, id: report.pinned.id}")


def named(page, name):
    """The number of the recorded op of this name."""
    return page.do(
        f"report.part.stages[0].rows.find((i) => report.part.nodes.name[i] === {json.dumps(name)})"
    )


def line_of(page, text):
    """The number of the user's line that has a text."""
    return page.do(
        "report.data.lines.findIndex(([f, n]) => report.data.files[f].pieces.some(([a, t]) => "
        f"n >= a && (t[n - a] || '').includes({json.dumps(text)})))"
    )


def test_every_view_opens(opened) -> None:
    for tab in ("kernels", "graph", "memory", "passes", "trace"):
        opened.click(f'#tabs [data-tab="{tab}"]')
        opened.until(f"document.querySelector('#tab-{tab}').hidden === false")
        text = opened.do(f"document.querySelector('#tab-{tab}').innerText.length")
        assert text > 100, tab
        wide = opened.do("document.documentElement.scrollWidth")
        assert wide <= 1200, tab


def test_a_line_leads_to_ops_kernels_and_code(opened) -> None:
    line = line_of(opened, 'name="product"')
    opened.do(f"report.pin({{kind: 'line', id: {line}}})")
    opened.do("report.pin(null)")
    opened.click(f'#source-list [data-kind=line][data-id="{line}"]')
    assert pinned(opened) == {"kind": "line", "id": line}
    found = opened.do(
        "(() => { const f = report.linked(report.pinned); return {recorded: [...f.recorded].map((i)"
        " => report.part.nodes.name[i]), steps: [...f.steps].map((s) => report.part.steps[s].name)}"
        " })()"
    )
    assert {"layer/product", "layer/mul", "layer/act"} <= set(found["recorded"])
    assert any("matmul" in s for s in found["steps"])
    # all panes show it
    assert opened.do("document.querySelectorAll('#source-list .the').length") == 1
    assert opened.do("document.querySelectorAll('#ir-list .node.pin').length") > 0
    assert opened.do("document.querySelectorAll('#step-list .step.pin').length") > 0
    assert "recorded ops" in opened.do("document.querySelector('#trail').innerText")
    # the kernel of the line is open: its loops, LLVM IR before and after, assembly, numbers
    for key, sign in (
        ("loops", "kernel "), ("llvm", "define"), ("optimized", "define"), ("asm", "ret"),
    ):  # fmt: skip
        opened.click(f'#texts [data-text="{key}"]')
        opened.until("document.querySelectorAll('#text-list .code-line').length > 3")
        opened.until(f"report.shown.text === '{key}'")
        opened.choose("#find-text", sign)
        opened.until("document.querySelectorAll('#text-list .hit').length > 0")
    opened.choose("#find-text", "")
    opened.click('#texts [data-text="numbers"]')
    text = opened.do("document.querySelector('#text-other').innerText")
    for word in ("Time of one run", "Bytes read and written", "GFLOP/s", "Share of the roofline"):
        assert word in text
    opened.click('#texts [data-text="why"]')
    assert len(opened.do("document.querySelector('#text-other').innerText")) > 20
    opened.click('#texts [data-text="loops"]')


def test_the_way_of_the_readme(opened) -> None:
    """From the slow line to its assembly, and to why it is slow."""
    assert opened.do("document.querySelector('#slowest').innerText").startswith("Slowest line: ")
    opened.click("#slowest")
    slow = opened.do("report.part.lineTime.indexOf(Math.max(...report.part.lineTime))")
    assert pinned(opened) == {"kind": "line", "id": slow}
    # the kernel that is open is the slowest of the line
    assert opened.do(
        f"report.part.steps[report.shown.step].ns === Math.max(...report.part.lineSteps[{slow}]"
        ".map((i) => report.part.steps[i].ns || 0))"
    )
    opened.click('#texts [data-text="asm"]')
    opened.until("document.querySelectorAll('#text-list .code-line').length > 10")
    opened.click('#texts [data-text="why"]')
    why = opened.do("document.querySelector('#text-other').innerText")
    assert "This call takes " in why
    assert "No code could take less than " in why or "At least " in why


@pytest.mark.parametrize("text", ["loops", "llvm", "optimized", "asm"])
def test_each_instruction_leads_to_its_line(opened, text) -> None:
    """A line lights up its instructions, and each of them leads back to its line."""
    line = line_of(opened, 'name="sq"')
    opened.do(  # the kernel that is open stays open where it is one of the line's
        "report.shown.step = report.part.steps.findIndex((s) => s.name.includes('reduce_sum'))"
    )
    opened.do(f"report.pin({{kind: 'line', id: {line}}})")
    opened.click(f'#texts [data-text="{text}"]')
    mine = f'#text-list .code-line.pin[data-kind="line"][data-id="{line}"]'
    opened.until(f"document.querySelector('{mine}')")  # it is scrolled to
    assert opened.do(f"document.querySelector('{mine} .origin').innerText").startswith(":")
    assert "reports.py" in opened.do(f"document.querySelector('{mine}').title")
    other = f'#text-list .code-line[data-kind="line"]:not([data-id="{line}"])'
    if opened.do(f"document.querySelector('{other}') !== null"):
        there = opened.do(f"+document.querySelector('{other}').dataset.id")
        opened.click(other)
        assert pinned(opened) == {"kind": "line", "id": there}
        at = f'#source-list .pin[data-id="{there}"]'
        opened.until(f"document.querySelector('{at}')")


def test_a_kernel_leads_back_to_its_lines(opened) -> None:
    step = opened.do(
        "report.part.steps.findIndex((s) => s.calls && s.name.endsWith('_matmul_relu'))"
    )
    opened.do("document.querySelector('#step-list').scrollTop = 0")
    opened.until(f"document.querySelector('#step-list [data-id=\"{step}\"]')")
    opened.click(f'#step-list [data-id="{step}"]')
    assert pinned(opened) == {"kind": "step", "id": step}
    line = line_of(opened, 'name="product"')
    assert opened.do(f"report.linked(report.pinned).lines.has({line})")
    assert opened.do(f"document.querySelector('#source-list .pin[data-id=\"{line}\"]') !== null")


def test_steps_that_share_code_have_their_own_lines(page, tmp_path) -> None:
    """What the code was made for first is not what each call of it is for."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None], name="x")
        h = tf.exp(tf.cumsum(x)) * 0.5
        y = tf.exp(tf.cumsum(h)) * 0.5
        file = tf.report(y, tmp_path / "shared.html", {x: [0.0, 1.0]}, sess, runs=1)
    page.open(file)
    kernels = page.do("report.part.steps.map((s) => s.kernel)")
    assert len(set(kernels)) < len(kernels)
    for step in range(len(kernels)):
        page.do(f"report.pin({{kind: 'step', id: {step}}})")
        page.click('#texts [data-text="loops"]')
        page.until("document.querySelector('#text-list .code-line[data-kind=line]')")
        assert page.do(
            "[...document.querySelectorAll('#text-list .code-line[data-kind=line]')].every((e) =>"
            f" report.linked({{kind: 'line', id: +e.dataset.id}}).steps.has({step}))"
        ), step
    assert page.console == []


def test_hovering_lights_up_what_is_linked(opened) -> None:
    opened.choose("#stage", 0)
    node = named(opened, "layer/act")
    opened.do(f"report.pin({{kind: 'node', id: {node}}}); report.pin(null)")
    opened.mouse("mouseMoved", f'#ir-list .node[data-id="{node}"]')
    opened.until("document.querySelectorAll('#source-list .under').length > 0")
    opened.until("document.querySelectorAll('#step-list .under').length > 0")
    opened.until("!document.querySelector('#tip').hidden")
    assert "reports.py" in opened.do("document.querySelector('#tip').innerText")


def test_a_node_leads_from_stage_to_stage(opened) -> None:
    node = named(opened, "layer/act")
    opened.do(f"report.pin({{kind: 'node', id: {node}}})")
    stages = opened.do("report.part.stages.length")
    for k in range(stages):
        opened.choose("#stage", k)
        assert opened.do("document.querySelectorAll('#ir-list .pin').length") > 0, k


def test_a_difference_names_its_rule(opened) -> None:
    opened.click('#tabs [data-tab="passes"]')
    opened.until("document.querySelector('#rules')")
    assert "multiply(x, 1)" in opened.do("document.querySelector('#rules').innerText")
    opened.do(
        "[...document.querySelectorAll('#passes tr[data-stage]')]"
        ".find((r) => r.innerText.includes('simplify')).click()"
    )
    opened.until("!document.querySelector('#tab-trace').hidden")
    opened.choose("#rows", "changed")
    rules = opened.do(
        "[...document.querySelectorAll('#ir-list [data-why]')].map((e) => e.dataset.why)"
    )
    assert "simplify: multiply(x, 1)" in rules
    mul = opened.do("[...document.querySelectorAll('#ir-list .pair.less')].map((e) => e.innerText)")
    assert any("layer/mul" in text for text in mul)


def test_the_text_of_each_stage_is_that_of_the_dump(opened) -> None:
    g, fetches, feed = training()
    with g.as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for stage in ("pure", "simplify", "fuse"):
            dump = tf.dump(fetches, feed, sess, stage=stage)
            labels = {
                s.split(" = ")[0].split(",")[0].strip() for s in dump.splitlines() if " = " in s
            }
            k = opened.do(f"report.part.stages.findIndex((s) => s.name === '{stage}')")
            mine = opened.do(
                f"report.rowsOf({k}).filter((r) => r[1] >= 0).map((r) => report.textOf({k}, r[1]))"
            )
            got = {s.split(" = ")[0].split(",")[0].strip() for s in mine if " = " in s}
            assert got == labels, stage


def test_the_graph_opens_scope_by_scope(opened) -> None:
    opened.click('#tabs [data-tab="graph"]')
    opened.until("document.querySelectorAll('#graph .box').length > 0")
    boxes = opened.do("document.querySelectorAll('#graph .box').length")
    opened.click('#graph [data-path="layer/"]')
    opened.until(f"document.querySelectorAll('#graph .box').length > {boxes}")
    node = named(opened, "layer/product")
    opened.click(f'#graph [data-node="{node}"]')
    assert pinned(opened) == {"kind": "node", "id": node}
    assert opened.do(f"document.querySelector('#graph [data-node=\"{node}\"].the') !== null")
    # search, then filter by kind
    opened.choose("#find-scope", "product")
    found = opened.do("[...document.querySelectorAll('#scope-tree .row')].map((r) => r.innerText)")
    assert found
    assert all("product" in row for row in found)
    opened.choose("#find-scope", "")
    opened.choose("#op-filter", "matmul")
    found = opened.do("[...document.querySelectorAll('#scope-tree .row')].map((r) => r.innerText)")
    assert found
    assert all(row.endswith("matmul") for row in found)
    opened.click("#graph [data-path='layer/']")
    opened.until("document.querySelector('#graph [data-path=\"layer/\"].closed')")


def test_tables_and_memory_lead_to_the_code(opened) -> None:
    opened.click('#tabs [data-tab="kernels"]')
    opened.until("document.querySelectorAll('#kernel-table tbody tr').length > 3")
    opened.click("#kernel-table tbody tr td.name")
    opened.until("!document.querySelector('#tab-trace').hidden")
    assert pinned(opened)["kind"] == "step"
    opened.click('#tabs [data-tab="memory"]')
    opened.until("document.querySelectorAll('#peak tr.live').length > 0")
    opened.click("#peak tr.live td")
    assert pinned(opened)["kind"] == "line"
    opened.click("#unpin")
    assert pinned(opened) is None


def test_the_address_remembers_the_place(page, file) -> None:
    page.open(file)
    node = named(page, "layer/act")
    page.do(f"report.go('graph'); report.pin({{kind: 'node', id: {node}}})")
    there = page.do("location.hash")
    page.open(file, there)
    assert pinned(page) == {"kind": "node", "id": node}
    assert not page.do("document.querySelector('#tab-graph').hidden")
    page.open(file, "#tab=nonsense&at=line:99999&stage=%3Cb%3E")
    assert pinned(page) is None
    assert page.console == []


EVIL = (
    "</script><script>window.hit = 1</script>", '"><img src=x onerror="window.hit=1">',
    "quote ' and \" and `", "line\nbreak\ttab", "Жук 图 العربية \u202e back", "a&amp;b <b>bold</b>",
)  # fmt: skip


def test_names_are_only_text(page, tmp_path) -> None:
    """Names of variables, files, functions and errors may hold anything."""
    from graphc.ir.node import Source

    with tf.Graph().as_default() as g, tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None], name="x")
        y = x
        for i, name in enumerate(EVIL):
            node = (y + float(i + 1)).op
            node.name = name  # what no user can do, an imported graph might
            node.source = (Source(f"/tmp/{name}.py", i + 1, name),)
            y = tf.exp(node.outputs[0])
        data = gather(y, {x: [1.0]}, sess, graph=g, runs=1, title=EVIL[0])
        data["error"] = {"type": EVIL[1], "message": EVIL[0] + EVIL[4]}
        data["left_out"] = list(EVIL)
        file = write(data, tmp_path / "evil <b>&.html")
    page.open(file)
    for tab in ("kernels", "memory", "passes", "graph", "trace"):
        page.do(f"report.go('{tab}')")
    for k in range(page.do("report.part.stages.length")):
        page.choose("#stage", k)
    page.do("report.pin({kind: 'line', id: 0})")
    for text in ("loops", "llvm", "asm", "numbers", "why"):
        page.click(f'#texts [data-text="{text}"]')
    assert page.do("window.hit") is None
    assert page.do("document.querySelectorAll('img').length") == 0
    assert page.do("[...document.querySelectorAll('script')].length") == page.do(
        "2 + report.part.kernels.length"
    )
    shown = page.do("document.body.innerText")
    assert "\u202e" not in shown
    assert "Жук 图 العربية" in shown
    assert page.console == []


def test_a_failure_is_shown_with_what_there_is(page, tmp_path, monkeypatch) -> None:
    from graphc.passes import pipeline

    def fail(*args):
        raise RuntimeError("a fault <i>here</i>")

    monkeypatch.setitem(pipeline.PASSES, "expand", fail)
    g, fetches, feed = training()
    with g.as_default():
        file = tf.report(fetches, tmp_path / "failed.html", feed)
    page.open(file)
    text = page.do("document.querySelector('#error').innerText")
    assert "RuntimeError" in text
    assert "a fault <i>here</i>" in text
    assert "hoist" in text
    for tab in ("kernels", "memory", "passes", "graph", "trace"):
        page.do(f"report.go('{tab}')")
    line = line_of(page, 'name="product"')
    page.do(f"report.pin({{kind: 'line', id: {line}}})")
    assert page.do("document.querySelectorAll('#ir-list .node.pin').length") > 0
    assert page.console == []


def test_a_page_that_leaves_things_out_says_so(page, tmp_path) -> None:
    g, fetches, feed = training()
    data = gather(fetches, feed, graph=g, limits=Limits(nodes=30, kernels=2))
    page.open(write(data, tmp_path / "short.html"))
    said = page.do("[...document.querySelectorAll('[data-left-out]')].map((e) => e.innerText)")
    assert any("recorded: " in text and "rows are left out" in text for text in said)
    for tab in ("kernels", "memory", "passes", "graph", "trace"):
        page.do(f"report.go('{tab}')")
    for k in range(page.do("report.part.stages.length")):
        page.choose("#stage", k)
    last = page.do("report.part.steps.findLastIndex((s) => s.calls)")
    page.do(f"report.pin({{kind: 'step', id: {last}}})")
    page.click('#texts [data-text="asm"]')
    page.until(
        "document.querySelector('#text-list').innerText"
        ".includes('The text of this kernel was left out')"
    )
    assert page.console == []


def test_parts_can_be_changed(page, tmp_path) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None], name="x")
        y = tf.reduce_sum(tf.boolean_mask(x * 2.0, x > 0.5), name="y")
        file = tf.report(y, tmp_path / "parts.html", {x: [0.0, 1.0, 2.0]}, sess, runs=1)
    page.open(file)
    assert page.do("document.querySelectorAll('#part option').length") == 2
    for tab in ("graph", "trace"):
        page.do(f"report.go('{tab}')")
        for i in (1, 0):
            page.choose("#part", i)
            assert page.do(f"report.part === report.data.parts[{i}]")
    assert page.console == []


@pytest.mark.slow
def test_ten_thousand_nodes_open_quickly(page, tmp_path) -> None:
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [None, 16], name="x")
        y = x
        for i in range(345):
            with tf.name_scope(f"block_{i // 50}/layer_{i % 50}"):
                w = tf.constant(np.full([16, 16], 0.01 * i, np.float32))
                y = tf.tanh(tf.matmul(y, w) * 1.0 + 0.5 * tf.nn.sigmoid(y) - tf.square(y) + 0.0)
        loss = tf.reduce_mean(y)
        fetches = [loss, tf.gradients(loss, x)[0]]
        data = gather(fetches, graph=g, native=False, limits=Limits())
    assert data["parts"][0]["stages"][0]["count"] >= 10_000
    assert not data["left_out"]
    file = write(data, tmp_path / "large.html")
    took = min(page.open(file) for _ in range(3))
    print(f"{took} ms, {file.stat().st_size:,} bytes")
    assert took < 2000
    for tab in ("kernels", "memory", "passes", "graph", "trace"):
        began = page.do("performance.now()")
        page.do(f"report.go('{tab}')")
        assert page.do("performance.now()") - began < 2000, tab
    for stage in ("recorded", "simplify", "fuse"):
        k = page.do(f"report.part.stages.findIndex((s) => s.name === '{stage}')")
        began = page.do("performance.now()")
        page.choose("#stage", k)
        assert page.do("performance.now()") - began < 2000, stage
    assert page.do("document.querySelectorAll('#ir-list .row').length") < 200
    assert page.console == []
