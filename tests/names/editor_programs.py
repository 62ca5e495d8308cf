"""tf.contrib.graph_editor: which operations it finds, and what copies and new wires compute."""

from families import error, started


def _net(tf):
    a = tf.constant([1.0, 2.0, 3.0], name="a")
    with tf.name_scope("one"):
        b = tf.multiply(a, 2.0, name="b")
        c = tf.add(b, a, name="c")
    with tf.name_scope("two"):
        d = tf.square(c, name="d")
        e = tf.subtract(d, b, name="e")
    return a, b, c, d, e


def _ge(tf):
    return tf.contrib.graph_editor


def _names(things):
    return sorted(x.name for x in things if not x.name.split(":")[0].endswith("/y"))


def finding(tf, say, folder):
    ge = _ge(tf)
    a, b, c, d, e = _net(tf)
    g = tf.get_default_graph()
    say(_names(ge.get_name_scope_ops(g, "one")))
    say(_names(ge.filter_ops_from_regex(g, "two")))
    say(_names(ge.filter_ts_from_regex(g, "^one/c")))
    say(_names(ge.get_backward_walk_ops(e.op, inclusive=False)))
    say(_names(ge.get_backward_walk_ops([d], stop_at_ts=[b])))
    say(_names(ge.get_backward_walk_ops(e, within_ops=[d.op, c.op, e.op])))
    say(_names(ge.get_backward_walk_ops(e, within_ops_fn=lambda op: op.name.startswith("two"))))
    say(_names(ge.get_forward_walk_ops(b.op)))
    say(_names(ge.get_forward_walk_ops([c], inclusive=False)))
    say(_names(ge.get_walks_intersection_ops(b.op, d.op)))
    say(_names(ge.get_walks_union_ops(d.op, b.op)))
    say(_names(ge.get_ops_ios([c.op])))
    say([_names(x) for x in ge.compute_boundary_ts([b.op, c.op, d.op])])
    say(_names(ge.get_within_boundary_ops(g, c.op, boundary_ops=[d.op, a.op, e.op])))
    say(_names(ge.get_within_boundary_ops(g, c.op, [d.op, a.op, e.op], inclusive=False)))
    say(_names(ge.select_ops("^one/.*", e.op, graph=g)))
    say(_names(ge.select_ts("^two/.*", a, graph=g)))
    say([_names(x) for x in ge.select_ops_and_ts("^two/", "(?#ts)one/c", graph=g)])
    say([_names(ge.get_consuming_ops([b])), _names(ge.get_generating_ops([b, e]))])
    say([ge.placeholder_name(c), ge.placeholder_name(scope="s"), ge.placeholder_name(c, "s")])
    say([ge.ph(tf.float32, [3]).name, ge.make_placeholder_from_tensor(c).name])
    say([
        error(ge.select_ops, "x"), error(ge.make_list_of_op, [c]), error(ge.make_list_of_t, [c.op]),
        error(ge.get_within_boundary_ops, g, c.op, c.op), error(ge.get_tensors, 3),
        error(ge.select_ops, wrong=3), error(ge.make_regex, 3),
    ])  # fmt: skip


def views(tf, say, folder):
    ge = _ge(tf)
    _a, b, c, d, _e = _net(tf)
    v = ge.sgv([b.op, c.op, d.op])
    say([_names(v.ops), _names(v.inputs), [t.name for t in v.outputs]])
    say([t.name for t in v.remap_outputs([1, 0]).outputs])
    say([t.name for t in v.remap_inputs([0]).inputs])
    say([v.input_index(v.inputs[0]), v.output_index(d), _names(v.consumers()), bool(v)])
    say([v.op(0).name, v.find_op_by_name("two/d").name, v.is_passthrough(d)])
    say(len(v.remap_outputs_to_consumers().outputs))
    s = ge.sgv_scope("one", tf.get_default_graph())
    say([_names(s.ops), _names(s.inputs), sorted(t.name for t in s.outputs)])
    say([error(v.find_op_by_name, "x"), bool(ge.sgv([]))])
    p = ge.sgv(b.op, c)
    say([_names(p.inputs), _names(p.outputs), _names(p.passthroughs)])


def copies(tf, say, folder):
    ge = _ge(tf)
    a, b, c, d, e = _net(tf)
    new = tf.constant([10.0, 20.0, 30.0], name="new")
    with tf.Session() as session:
        f = ge.graph_replace(e, {b: new})
        say([f.name, f.shape.as_list()])
        say(session.run(f))
        f, h = ge.graph_replace([e, d], {c: new, b: a})
        say(session.run([f, h]))
        f = ge.graph_replace({"x": e}, {a: new}, dst_scope="other")
        say([f["x"].name])
        say(session.run(f))
        v, info = ge.copy_with_input_replacements(ge.sgv([d.op, e.op]), {c: new})
        say([_names(v.ops), info.transformed(d).name, info.original(v.ops[0]).name])
        say(session.run(list(v.outputs)))
        say([_names(v.inputs), info.transformed(a) is None])
        v, info = ge.copy(ge.sgv([c.op, d.op]), dst_scope="again")
        say([_names(v.ops), _names(v.outputs)])
        made = [o for o in d.graph.get_operations() if o.type == "Placeholder"]
        feed = {o.outputs[0]: [1.0, 1.0, 2.0] for o in made}
        say(_names(made))
        say(session.run(info.transformed(d), feed))
        say(error(ge.graph_replace, b, {d: new}))
    with tf.Graph().as_default() as g:
        v, info = ge.copy(ge.sgv([c.op, d.op]), g)
        say(sorted(op.name for op in g.get_operations()))
        say([op.type for op in g.get_operations()])


def variables(tf, say, folder):
    """As programs unroll optimizers: the loss with updated variables in the place of variables."""
    ge = _ge(tf)
    w = tf.get_variable("w", initializer=[1.0, 2.0])
    x = tf.placeholder(tf.float32, [2])
    loss = tf.reduce_sum(tf.square(w * x - 1.0))
    step = w - 0.1 * tf.gradients(loss, [w])[0]
    later = ge.graph_replace(loss, {w.value(): step})
    much = ge.graph_replace(later, {w.value(): step})
    session = started(tf)
    say(session.run([loss, later, tf.gradients(later, [w])[0], much], {x: [0.5, 0.25]}))


def wires(tf, say, folder):
    ge = _ge(tf)
    a, b, c, d, e = _net(tf)
    new = tf.constant([10.0, 20.0, 30.0], name="new")
    say(ge.reroute_ts([new], [c]))
    say(ge.reroute_ts([a], [b], can_modify=[e.op]))
    say(ge.reroute_ts([a], [b], cannot_modify=[c.op]))
    last = tf.negative(a, name="last")
    say(ge.swap_ts([d], [last]))
    say([[t.name for t in op.inputs] for op in (c.op, d.op, e.op)])
    say([_names(c.consumers()), _names(new.consumers()), _names(last.consumers())])
    ge.add_control_inputs(e.op, [c.op])
    say([x.name for x in e.op.control_inputs])
    say(error(ge.remove_control_inputs, e.op, d.op))
    ge.remove_control_inputs(e.op, c.op)
    say([x.name for x in e.op.control_inputs])
    with tf.Session() as session:
        say(session.run([c, d, e]))
    say(error(ge.reroute_ts, [a], [a, b]))


def more_wires(tf, say, folder):
    ge = _ge(tf)
    a, b, c, d, e = _net(tf)
    x = tf.square(a, name="x")
    y = tf.sqrt(x, name="y")
    ge.connect(ge.sgv(x.op), ge.sgv(d.op))
    v, inputs = ge.detach_inputs(ge.sgv(y.op))
    say([_names(v.inputs), [p.name for p in inputs], [t.name for t in y.op.inputs]])
    v, _ = ge.bypass(ge.sgv(b.op).remap_inputs([0]))
    say([[t.name for t in op.inputs][:1] for op in (c.op, e.op)])
    v, i, o = ge.detach(ge.sgv([c.op]))
    say([len(i), len(o), [t.name for t in c.op.inputs]])
    with tf.Session() as session:
        say(session.run([d, e], {i[0]: [0.0, 0, 0]}))
