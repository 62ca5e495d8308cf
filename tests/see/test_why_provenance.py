"""From any stage back to the user's line, and from a line on to its kernels."""

import graphc as tf
from graphc.face.dump import compile_run
from graphc.ir import journal
from graphc.ir.node import Node
from graphc.see.provenance import Provenance, forward, forward_operation


def provenance(fetches) -> Provenance:
    with journal.recording() as log:
        parts = compile_run(fetches)
    return Provenance(log, [p.compilation for p in parts])


def kernels(p: Provenance, v) -> list[str]:
    return [c.plan.steps[i].code.name for c, i in p.kernels(v)]


def names(nodes) -> set[str]:
    return {n.name for n in nodes}


def training():
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        w = tf.get_variable("w", [8, 4])
        h = tf.nn.softmax(tf.tanh(tf.matmul(x, w, name="product"), name="act"), name="soft")
        _, y = tf.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, y * 2.0 + h), [0, h])
        loss = tf.reduce_mean(tf.square(y, name="sq"), name="loss")
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, name="train")
        return g, h, loss, train, provenance([loss, train])


def test_every_node_of_every_stage_comes_from_recorded_nodes() -> None:
    _, _, _, _, p = training()
    (c,) = p.compilations
    lost = []
    for r in c.trace.records:
        stack = list(r.graph.nodes())
        while stack:
            n = stack.pop()
            inner = [m for k in ("body", "cond") if k in n.attrs for m in n.attrs[k].nodes()]
            stack += inner
            if n.op.name not in ("input", "constant", "sizes") and not p.recorded(n):
                lost.append((r.name, n))
    assert not lost


def test_kernels_know_their_operations_and_operations_their_kernels() -> None:
    g, h, _, _, p = training()
    (c,) = p.compilations
    (product,) = p.kernels(g.get_operation_by_name("product"))
    assert names(p.recorded(c.plan.steps[product[1]].node)) == {"product"}
    soft = p.kernels(h)
    act = p.kernels(g.get_operation_by_name("act"))  # its gradient computes it again
    assert act[0] == soft[0]
    assert "tanh" in c.plan.steps[act[-1][1]].code.name
    assert names(p.recorded(c.plan.steps[soft[0][1]].node)) == {"act", "soft"}
    update = p.kernels(g.get_operation_by_name("train/update_w/ApplyGradientDescent"))
    assert "matmul" in c.plan.steps[update[0][1]].code.name


def test_inside_of_loops() -> None:
    g, _, _, _, p = training()
    inside = g.get_operation_by_name("while/mul")
    assert kernels(p, inside), "a node of a loop's body has a kernel"
    made = [v.node for v in p.became(inside)]
    assert any("while" in {h.op.name for h in p.within(n)} for n in made)


def test_a_cond_that_only_chooses() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        p = provenance(tf.cond(x[0] > 0.0, lambda: x, lambda: x, name="c"))
    (c,) = p.compilations
    assert all(p.recorded(s.node) for s in c.plan.steps)


def test_lines_are_the_users() -> None:
    g, _, _, _, p = training()
    (c,) = p.compilations
    (_, i), *_ = p.kernels(g.get_operation_by_name("sq"))
    assert {s.file for s in p.lines(c.plan.steps[i].node)} == {__file__}


def test_rules_show_on_the_way_back() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        inner = tf.exp(x, name="inner")
        y = tf.log(1.0 + inner, name="y")
        p = provenance(y)
    (c,) = p.compilations
    last = c.trace.records[-1].graph.outputs[0]
    body = last.node.attrs["body"].outputs[0]
    assert any("exp" in k.rule for k in p.back(body))
    assert kernels(p, inner) == kernels(p, y)  # the rule took it in
    assert names(Provenance(p.journal).recorded(body)) >= {"y"}
    assert body in forward(p.journal, y)


def test_composites_lead_to_all_their_parts() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 5], name="x")
        p = provenance(tf.nn.softmax(x, name="s"))
    (c,) = p.compilations
    body = c.plan.steps[0].node.attrs["body"]
    parts = [n for n in body.nodes() if n.op.name not in ("input", "constant")]
    assert {n.op.name for n in parts} >= {"exp", "reduce_max"}
    assert all(names(p.recorded(n)) == {"s"} for n in parts)


def test_shared_kernels_keep_each_line() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        outs = [
            tf.reduce_sum(tf.exp(x * float(i)), axis=1, name=f"y{i}") * x[0, 0]
            for i in range(3, 30)
        ]
        p = provenance(outs)
    found = {n for c in p.compilations for s in c.plan.steps for n in names(p.recorded(s.node))}
    assert {f"y{i}" for i in range(3, 30)} <= found


def test_gradients_know_what_they_are_the_gradient_of() -> None:
    g, *_ = training()
    made = {n.name: forward_operation(n) for n in g.get_operations() if isinstance(n, Node)}
    assert made["gradients/sq_grad/mul"].name == "sq"
    assert made["gradients/product_grad/MatMul_1"].name == "product"
    assert made["product"] is None


def test_nothing_is_kept_unless_asked() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        (part,) = compile_run(tf.exp(x))
    assert part.compilation.trace.journal is None
    assert Provenance(journal.Journal()).recorded(x) == [x.node]


def test_moved_reshapes_do_not_lose_what_they_moved_over() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        e = tf.exp(x, name="e")
        p = provenance(tf.sin(tf.reshape(e, [-1]), name="y"))
    assert kernels(p, e) == ["k0_exp_sin"]
