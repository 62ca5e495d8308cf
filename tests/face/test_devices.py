"""Devices: all is on the CPU, but operations say what TensorFlow 1.15 says of them."""

import pytest

import graphc as tf


def on(*xs):
    return [x.device for x in xs]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("/cpu:0", "/device:CPU:0"),
        ("/gpu:1", "/device:GPU:1"),
        ("/device:GPU:*", "/device:GPU:*"),
        ("/GPU", "/device:GPU:*"),
        ("cpu:0", "/device:CPU:0"),
        ("/job:ps", "/job:ps"),
        ("/job:worker/replica:1/task:2/CPU:0", "/job:worker/replica:1/task:2/device:CPU:0"),
        ("/device:XLA_CPU:0", "/device:XLA_CPU:0"),
        ("", ""),
    ],
)
def test_names(given, name):
    with tf.device(given):
        x = tf.constant(1.0)
    assert (x.device, x.op.device, tf.constant(2.0).device) == (name, name, "")


def test_nested():
    with tf.device("/job:ps/task:1"), tf.device("/gpu:0"):
        assert tf.constant(1.0).device == "/job:ps/task:1/device:GPU:0"
        with tf.device("/job:worker"):
            assert tf.constant(1.0).device == "/job:worker/task:1/device:GPU:0"
        with tf.device(None):
            assert tf.constant(1.0).device == ""
        with tf.device(""):
            assert tf.constant(1.0).device == "/job:ps/task:1/device:GPU:0"
        with tf.device(lambda op: "/cpu:0"):
            assert tf.constant(1.0).device == "/job:ps/task:1/device:CPU:0"
    with tf.device(tf.DeviceSpec(job="w", task=3, device_type="gpu")):
        assert tf.constant(1.0).device == "/job:w/task:3/device:GPU:*"
        with tf.device(tf.DeviceSpec(device_index=2, device_type="GPU")):
            assert tf.constant(1.0).device == "/job:w/task:3/device:GPU:2"


def test_functions_get_the_operation():
    seen = []

    def choose(op):
        seen.append((op.type, op.name, op.device))
        return "/gpu:0" if op.type == "MatMul" else "/cpu:0"

    with tf.device(choose):
        a = tf.constant([[1.0]], name="a")
        c = tf.matmul(a, a, name="c")
        v = tf.Variable(tf.zeros([2, 2]), name="v")
        with tf.device("/job:x"):
            e = tf.identity(c, name="e")
    # what is beside the variable is not asked for: v/Assign, v/read
    assert seen == [
        ("Const", "a", ""), ("MatMul", "c", ""), ("Const", "zeros", ""), ("VariableV2", "v", ""),
        ("Identity", "e", "/job:x"),
    ]  # fmt: skip
    # a function's name is taken as it is
    assert on(a, c, e, v, v.initializer, v.value()) == ["/cpu:0", "/gpu:0", *["/cpu:0"] * 4]
    assert v.initializer.colocation_groups() == v.op.colocation_groups() == [b"loc:@v"]
    with tf.device(lambda op: tf.DeviceSpec(job="q")):
        assert tf.constant(1.0).device == "/job:q"


def test_refused():
    graph = tf.get_default_graph()
    for given in (None, 3):
        with pytest.raises(TypeError, match=f"Expected binary or unicode string, got {given}"):
            with tf.device(lambda op, given=given: given):
                tf.constant(1.0)
    assert (graph.get_operations(), graph.version) == ([], 0)
    for name, words in {
        "nonsense": "Unknown attribute: 'nonsense' in 'nonsense'",
        "/job": "Unknown attribute: 'job' in '/job'",
        "/device:GPU:0:1": "Unknown attribute: 'device' in",
        "/gpu:x": "invalid literal for int",
        "/cpu:0/gpu:0": "Cannot specify multiple device types: /cpu:0/gpu:0",
    }.items():
        with pytest.raises(ValueError, match=words):
            with tf.device(name):
                pass
    with pytest.raises(TypeError, match="not bytes"):
        tf.device(b"/cpu:0")
    with pytest.raises(AttributeError, match="not 3"):
        tf.device(3)
    outer, inner = tf.device("/cpu:0"), tf.device("/cpu:1")
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match="without proper scope nesting"):
        outer.__exit__(None, None, None)


def test_colocated():
    with tf.device("/gpu:0"):
        a = tf.constant(1.0, name="a")
    with tf.device("/cpu:1"):
        with tf.colocate_with(a):
            b = tf.identity(a, name="b")
            with tf.device("/job:z"):
                c = tf.identity(b, name="c")
        with tf.colocate_with(None, ignore_existing=True):
            e = tf.identity(b, name="e")
    x = tf.constant(2.0, name="x")
    with tf.colocate_with(x):
        y = tf.identity(x, name="y")
    with tf.colocate_with(a), tf.colocate_with(y):
        w = tf.identity(x, name="w")
    gpu = "/device:GPU:0"
    assert on(a, b, c, e, y, w) == [gpu, gpu, gpu, "", "", gpu]
    groups = [v.op.colocation_groups() for v in (b, c, e, y, w)]
    a, x = b"loc:@a", b"loc:@x"
    assert groups == [[a], [a], [b"loc:@e"], [x], [a, x]]


def test_variables_and_training():
    with tf.device("/job:ps/task:0"):
        v = tf.get_variable("v", [3], initializer=tf.ones_initializer())
        r = tf.get_variable("r", [3], initializer=tf.ones_initializer(), use_resource=True)
        cached = tf.Variable(1.0, caching_device="/job:worker")
    with tf.device("/job:worker"):
        loss = tf.reduce_sum(v * 2.0 + r)
        step = tf.train.get_or_create_global_step()
        optimizer = tf.train.AdamOptimizer()
        train = optimizer.minimize(loss, global_step=step)
    ps = "/job:ps/task:0"
    assert on(v, v.initializer, v.value(), r, r.initializer, cached) == [ps] * 6
    assert (v.initial_value.device, cached.value().device) == ("", "/job:worker/task:0")
    assert on(*[optimizer.get_slot(x, n) for x in (v, r) for n in "mv"]) == [ps] * 4
    assert on(*optimizer._get_beta_accumulators()) == [ps, ps]
    assert on(loss, step, train) == ["/job:worker"] * 3
    graph = tf.get_default_graph()
    assert graph.get_operation_by_name("Adam/update_v/ApplyAdam").device == ps
    assert graph.get_operation_by_name("Adam/learning_rate").device == "/job:worker"


def test_replica_device_setter():
    with tf.device(tf.train.replica_device_setter(ps_tasks=2)):
        vs = [tf.Variable(1.0) for _ in range(3)]
        c = vs[0] + vs[1]
        with tf.device("/gpu:1"):
            d = c * 2.0
        with tf.device("/job:other"):
            e = tf.Variable(2.0)
    assert on(*vs) == ["/job:ps/task:0", "/job:ps/task:1", "/job:ps/task:0"]
    assert on(c, d, e) == ["/job:worker", "/job:worker/device:GPU:1", "/job:other"]
    cluster = tf.train.ClusterSpec({"ps": ["a:1", "b:2", "c:3"], "worker": ["d:1"]})
    worker = "/job:worker/task:0/gpu:0"
    with tf.device(tf.train.replica_device_setter(cluster=cluster, worker_device=worker)):
        vs = [tf.get_variable(f"w{i}", [2]) for i in range(4)]
        step = tf.train.get_or_create_global_step()
        loss = tf.reduce_sum(vs[0])
        train = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, global_step=step)
    assert on(*vs) == [f"/job:ps/task:{i}" for i in (0, 1, 2, 0)]
    assert on(step, loss, train) == [
        "/job:ps/task:1", "/job:worker/task:0/device:GPU:0", "/job:ps/task:1"
    ]  # fmt: skip
    setter = tf.train.replica_device_setter
    with tf.device(setter(ps_tasks=1, merge_devices=False)), tf.device("/gpu:0"):
        assert tf.Variable(1.0).device == "/device:GPU:0"
    chosen = setter(2, "/job:s/cpu:0", ps_ops=["Const"], ps_strategy=lambda op: 1)
    with tf.device(chosen):
        assert tf.Variable(1.0).device == "/job:worker"
        assert tf.constant(1.0).device == "/job:s/task:1/device:CPU:0"
    assert setter(0) is None
    with pytest.raises(TypeError, match="ps_strategy must be callable"):
        setter(1, ps_strategy=3)


def test_groups_for_each_device():
    with tf.device("/cpu:0"):
        a = tf.constant(1.0, name="a")
    with tf.device("/gpu:0"):
        b = tf.constant(1.0, name="b")
    tf.group(a, b, name="g")
    tf.group(b, name="h")
    tf.group(a, a.op, tf.constant(3.0, name="n"))
    tf.tuple([a, b])
    cpu, gpu = "/device:CPU:0", "/device:GPU:0"
    rows = [
        (o.name, o.device, [c.name for c in o.control_inputs])
        for o in tf.get_default_graph().get_operations()
        if o.type != "Const"
    ]
    assert rows == [
        ("g/NoOp", cpu, ["a"]), ("g/NoOp_1", gpu, ["b"]), ("g", "", ["g/NoOp", "g/NoOp_1"]),
        ("h", gpu, ["b"]),
        ("group_deps/NoOp", "", ["n"]), ("group_deps/NoOp_1", cpu, ["a"]),
        ("group_deps", "", ["group_deps/NoOp", "group_deps/NoOp_1"]),
        ("tuple/group_deps/NoOp", cpu, ["a"]), ("tuple/group_deps/NoOp_1", gpu, ["b"]),
        ("tuple/group_deps", "", ["tuple/group_deps/NoOp", "tuple/group_deps/NoOp_1"]),
        ("tuple/control_dependency", cpu, ["tuple/group_deps"]),
        ("tuple/control_dependency_1", gpu, ["tuple/group_deps"]),
    ]  # fmt: skip


def test_gradients_beside_their_operations():
    with tf.device("/gpu:0"):
        a = tf.placeholder(tf.float32, [2])
        b = tf.tanh(a)
    with tf.device("/cpu:0"):
        c = tf.exp(b)
    free, together = tf.gradients(c, a), tf.gradients(c, a, colocate_gradients_with_ops=True)
    assert on(*free, *together) == ["", "/device:GPU:0"]


def test_graph_defs_have_devices():
    pytest.importorskip("tensorboard")
    with tf.device("/gpu:0"):
        a = tf.constant(1.0, name="a")
    tf.add(a, 1.0, name="b")
    graph_def = tf.get_default_graph().as_graph_def()
    assert {n.name: n.device for n in graph_def.node}["a"] == "/device:GPU:0"
    with tf.Graph().as_default() as graph, tf.device("/job:w"):
        tf.import_graph_def(graph_def, name="i")
        assert on(*graph.get_operations()) == ["/job:w/device:GPU:0", "/job:w", "/job:w"]
    meta = tf.train.export_meta_graph(clear_devices=True)
    assert {n.device for n in meta.graph_def.node} == {""}
    meta = tf.train.export_meta_graph()
    for clear, device in ((False, "/device:GPU:0"), (True, "")):
        with tf.Graph().as_default() as graph:
            tf.train.import_meta_graph(meta, clear_devices=clear)
            assert graph.get_operation_by_name("a").device == device


def test_specs():
    spec = tf.DeviceSpec.from_string("/job:a/task:1")
    assert (spec.job, spec.task, spec.device_type) == ("a", 1, None)
    assert spec == tf.DeviceSpec(job="a", task=1)
    spec.merge_from(tf.DeviceSpec(device_type="gpu", device_index=0))
    assert spec.to_string() == "/job:a/task:1/device:GPU:0"
    spec.task = "5"
    assert spec.replace(job="b").to_string() == "/job:b/task:5/device:GPU:0"
    assert tf.DeviceSpec(device_type="Cpu").to_string() == "/device:Cpu:*"
    assert tf.DeviceSpec(job=3).to_string() == "/job:3"


def test_loops_and_conds():
    with tf.device("/gpu:0"):
        p = tf.placeholder(tf.bool, [])
        y = tf.cond(p, lambda: tf.constant(1.0), lambda: tf.constant(2.0))
        w = tf.while_loop(lambda i: i < 3, lambda i: i + 1, [0])
    assert on(y, w) == ["/device:GPU:0"] * 2
    with tf.Session() as session:
        assert session.run([y, w], {p: True}) == [1.0, 3]
