"""`Saver`: names of its operations, round trips, which checkpoints it keeps, refusals.

Names, texts and files are those of TensorFlow 1.15.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from patience import LONG

import graphc as tf
from graphc.train.saveables import BaseSaverBuilder

DATA = Path(__file__).parent.parent / "checkpoint" / "data"


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def model():
    w = tf.Variable(np.arange(6, dtype="f").reshape(2, 3), name="w")
    b = tf.get_variable("net/b", initializer=np.array([1, 2], np.int64))
    texts = tf.Variable([b"abc", b""], name="s", trainable=False)
    half = tf.Variable(tf.cast([1.5, 3.0], tf.bfloat16), name="bf", trainable=False)
    return w, b, texts, half


def save(saver, sess, *args, **kwargs):
    return saver.save(sess, *args, write_meta_graph=False, **kwargs)


def test_operations_have_tensorflows_names(graph):
    tf.Variable([1.0, 2.0], name="v")
    tf.Variable(1.0, name="a")
    saver = tf.train.Saver()
    ops = {
        o.name: (o.type, [i.name for i in o.inputs], [c.name for c in o.control_inputs])
        for o in graph.get_operations() if o.name.startswith("save")
    }  # fmt: skip
    assert ops == {
        "save/filename/input": ("Const", [], []),
        "save/filename": ("PlaceholderWithDefault", ["save/filename/input:0"], []),
        "save/Const": ("PlaceholderWithDefault", ["save/filename:0"], []),
        "save/SaveV2/tensor_names": ("Const", [], []),
        "save/SaveV2/shape_and_slices": ("Const", [], []),
        "save/SaveV2": (
            "SaveV2",
            ["save/Const:0", "save/SaveV2/tensor_names:0", "save/SaveV2/shape_and_slices:0",
             "a:0", "v:0"],
            [],
        ),
        "save/control_dependency": ("Identity", ["save/Const:0"], ["save/SaveV2"]),
        "save/RestoreV2/tensor_names": ("Const", [], []),
        "save/RestoreV2/shape_and_slices": ("Const", [], []),
        "save/RestoreV2": (
            "RestoreV2",
            ["save/Const:0", "save/RestoreV2/tensor_names:0", "save/RestoreV2/shape_and_slices:0"],
            [],
        ),
        "save/Assign": ("Assign", ["a:0", "save/RestoreV2:0"], []),
        "save/Assign_1": ("Assign", ["v:0", "save/RestoreV2:1"], []),
        "save/restore_all": ("NoOp", [], ["save/Assign", "save/Assign_1"]),
    }  # fmt: skip
    d = saver.as_saver_def()
    assert d.filename_tensor_name == "save/Const:0"
    assert d.save_tensor_name == "save/control_dependency:0"
    assert d.restore_op_name == "save/restore_all"
    assert (d.max_to_keep, d.version, d.sharded) == (5, 2, False)
    assert tf.train.Saver().as_saver_def().restore_op_name == "save_1/restore_all"


def test_every_type_comes_back(tmp_path):
    variables = model()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before = sess.run(variables)
        path = save(saver, sess, str(tmp_path / "m"), global_step=3)
    assert path == str(tmp_path / "m-3")
    assert sorted(os.listdir(tmp_path)) == ["checkpoint", "m-3.data-00000-of-00001", "m-3.index"]
    with tf.Session() as sess:
        saver.restore(sess, path)
        for a, b in zip(before, sess.run(variables), strict=True):
            assert a.tolist() == b.tolist()
            assert a.dtype == b.dtype


def test_restores_what_tensorflow_wrote():
    with np.load(DATA / "model-7.npz") as f:
        expected = dict(f)
    shapes = {n: a for n, a in expected.items() if n in ("w", "net/b", "flag", "h", "sc", "bf")}
    variables = {
        n: tf.Variable(tf.zeros(a.shape, "bfloat16" if n == "bf" else a.dtype))
        for n, a in shapes.items()
    }  # fmt: skip
    texts = tf.Variable([b"", b"", b""])
    parts = []
    for i, (start, rows) in enumerate(((0, 3), (3, 2))):
        v = tf.Variable(tf.zeros([rows, 4]), name=f"part_{i}")
        v._set_save_slice_info(tf.Variable.SaveSliceInfo("part", [5, 4], [start, 0], [rows, 4]))
        parts.append(v)
    saver = tf.train.Saver({**variables, "s": texts, "part": parts})
    with tf.Session() as sess:
        saver.restore(sess, str(DATA / "model-7"))
        for n, v in variables.items():
            assert sess.run(v).tolist() == expected[n].tolist(), n
        assert sess.run(texts).tolist() == [b"abc", b"", b"x" * 200]
        for i, v in enumerate(parts):
            assert np.array_equal(sess.run(v), expected[f"part/part_{i}"])


def test_resuming_is_bit_exact(tmp_path):
    x = tf.placeholder(tf.float32, [None, 4])
    w = tf.Variable(tf.random_normal([4, 3], seed=1), name="w")
    step = tf.train.get_or_create_global_step()
    loss = tf.reduce_mean(tf.square(tf.tanh(x @ w) - 0.3))
    rate = tf.train.exponential_decay(0.1, step, 3, 0.5)
    train = tf.train.AdamOptimizer(rate).minimize(loss, global_step=step)
    saver = tf.train.Saver()
    data = np.random.default_rng(0).normal(size=(12, 5, 4)).astype("f")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(12):
            if i == 5:
                path = save(saver, sess, str(tmp_path / "m"), global_step=step)
            sess.run(train, {x: data[i]})
        whole = sess.run(tf.global_variables())
    assert path.endswith("m-5")
    with tf.Session() as sess:
        saver.restore(sess, path)
        for i in range(5, 12):
            sess.run(train, {x: data[i]})
        for a, b in zip(whole, sess.run(tf.global_variables()), strict=True):
            assert a.tobytes() == b.tobytes()


def test_reshape_and_sequence(graph, tmp_path):
    v = tf.Variable([1.0, 2.0], name="v")
    with tf.Session() as sess:
        sess.run(v.initializer)
        path = save(tf.train.Saver(), sess, str(tmp_path / "m"))
    with tf.Graph().as_default() as g, tf.Session() as sess:
        w = tf.Variable(tf.zeros([2, 1]), name="v")
        u = tf.Variable(0.0, name="u")
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"lhs shape= \[2,1\] rhs shape= \[2\]"
        ):
            tf.train.Saver([w]).restore(sess, path)
        tf.train.Saver([w], reshape=True).restore(sess, path)
        assert sess.run(w).tolist() == [[1], [2]]
        tf.train.Saver([w, u], restore_sequentially=True)
        assert g.get_operation_by_name("save_2/Assign_1").control_inputs[0].name == "save_2/Assign"


# --------------------------------------------------------------------- which are kept


def test_max_to_keep(tmp_path):
    v = tf.Variable(1.0)
    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session() as sess:
        sess.run(v.initializer)
        for i in range(1, 5):
            save(saver, sess, str(tmp_path / "m"), global_step=i, latest_filename="latest")
        save(saver, sess, str(tmp_path / "m"), global_step=3, latest_filename="latest")
    kept = [str(tmp_path / "m-4"), str(tmp_path / "m-3")]
    assert saver.last_checkpoints == kept
    assert sorted(f for f in os.listdir(tmp_path) if f.endswith("index")) == [
        "m-3.index",
        "m-4.index",
    ]
    assert tf.train.latest_checkpoint(str(tmp_path), "latest") == kept[1]
    assert tf.train.latest_checkpoint(str(tmp_path)) is None
    state = tf.train.get_checkpoint_state(str(tmp_path), "latest")
    assert state.all_model_checkpoint_paths == kept
    other = tf.train.Saver(max_to_keep=2)
    other.recover_last_checkpoints([*kept, str(tmp_path / "gone")])
    assert other.last_checkpoints == kept


@pytest.mark.parametrize(("keep", "left"), [(None, 4), (0, 4), (1, 1), (3, 3)])
def test_how_many_are_left(tmp_path, keep, left):
    v = tf.Variable(1.0)
    saver = tf.train.Saver(max_to_keep=keep)
    with tf.Session() as sess:
        sess.run(v.initializer)
        for i in range(4):
            save(saver, sess, str(tmp_path / "m"), global_step=i)
    assert len(list(tmp_path.glob("*.index"))) == left
    assert (
        len(tf.train.get_checkpoint_state(str(tmp_path)).all_model_checkpoint_paths) == left
        or not keep
    )


def test_one_each_n_hours_is_kept_for_good(tmp_path, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    v = tf.Variable(1.0)
    saver = tf.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=1)
    with tf.Session() as sess:
        sess.run(v.initializer)
        for i in range(8):
            save(saver, sess, str(tmp_path / "m"), global_step=i)
            now += 1500
    assert sorted(p.name for p in tmp_path.glob("*.index")) == [
        "m-3.index",
        "m-5.index",
        "m-7.index",
    ]


@pytest.mark.parametrize(
    ("relative", "path", "text"),
    [(False, "m", "m-1"), (False, "./sub/m", "m-1"), (True, "sub/m", "m-1"), (True, "ABS/a", "a-1"),
     (False, "ABS/a", "ABS/a-1")],
)  # fmt: skip
def test_paths_in_the_state_file(tmp_path, monkeypatch, relative, path, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    path, text = path.replace("ABS", str(tmp_path)), text.replace("ABS", str(tmp_path))
    v = tf.Variable(1.0)
    saver = tf.train.Saver(save_relative_paths=relative, pad_step_number=False)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert save(saver, sess, path, global_step=1) == path + "-1"
        folder = os.path.dirname(path) or "."
        assert (
            Path(folder, "checkpoint").read_text().split("\n")[0]
            == f'model_checkpoint_path: "{text}"'
        )
        latest = tf.train.latest_checkpoint(folder)
        saver.restore(sess, latest)
        assert os.path.samefile(latest + ".index", path + "-1.index")
        assert save(tf.train.Saver(pad_step_number=True), sess, path, 12).endswith("-00000012")


# --------------------------------------------------------------------- refusals


def test_what_can_be_saved():
    v = tf.Variable(1.0, name="v")
    for bad, error, text in [
        ([], ValueError, "No variables to save"),
        ([v, v], ValueError, "At least two variables have the same name: v"),
        ([tf.constant(1.0)], TypeError, "Variable to save is not a Variable: Tensor"),
        ({"a": tf.constant(1.0)}, TypeError, "dict mapping string names to Tensors/Variables"),
        ({1: v}, TypeError, "Name is not a string: 1"),
        (3, TypeError, "Variables to save should be passed in a dict or a list: 3"),
        ({"a": v, "b": v}, ValueError, "restored with two names"),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            tf.train.Saver(bad)
    assert (
        tf.train.Saver([], allow_empty=True).save(tf.Session(), "x", write_meta_graph=False) is None
    )
    with pytest.raises(ValueError, match="build cannot be deferred"):
        tf.train.Saver([v], defer_build=True)


def test_deferred(tmp_path):
    saver = tf.train.Saver(defer_build=True)
    v = tf.Variable(1.0)
    with tf.Session() as sess:
        sess.run(v.initializer)
        with pytest.raises(RuntimeError, match="should be called before save if defer_build"):
            saver.save(sess, "m")
        saver.build()
        made = len(sess.graph.get_operations())
        saver.build()
        assert len(sess.graph.get_operations()) == made
        save(saver, sess, str(tmp_path / "m"))


def test_the_graph_beside_a_checkpoint_is_that_of_its_time(tmp_path):
    pytest.importorskip("tensorboard")
    v = tf.Variable(1.0, name="v")
    saver = tf.train.Saver()
    path = str(tmp_path / "m")
    with tf.Session() as sess:
        sess.run(v.initializer)
        for more in ("first", "second"):
            tf.constant(1.0, name=more)
            saver.save(sess, path)
            meta = tf.MetaGraphDef.FromString((tmp_path / "m.meta").read_bytes())
            assert more in [n.name for n in meta.graph_def.node]


def test_definitions_within_a_scope(graph):
    pytest.importorskip("tensorboard")
    with tf.name_scope("outer"):
        tf.Variable(1.0, name="v")
        saver, named = tf.train.Saver(), tf.train.Saver(name="outer/saved")
    assert saver.to_proto("outer") is None
    assert named.to_proto("outer").restore_op_name == named.as_saver_def().restore_op_name[6:]


def test_saving_is_refused(tmp_path):
    v = tf.Variable(1.0, name="v")
    saver = tf.train.Saver()
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value v"):
            save(saver, sess, str(tmp_path / "m"))
        assert os.listdir(tmp_path) == []
        sess.run(v.initializer)
        with pytest.raises(ValueError, match=r"Parent directory of .* doesn't exist, can't save"):
            save(saver, sess, str(tmp_path / "none" / "deeper" / "m"))
        assert os.listdir(tmp_path) == []
        save(saver, sess, str(tmp_path / "made" / "m"))  # one folder is made
        assert "m.index" in os.listdir(tmp_path / "made")
        with pytest.raises(ValueError, match="must not contain path components"):
            save(saver, sess, str(tmp_path / "m"), latest_filename="a/b")
        with pytest.raises(TypeError, match="'sess' must be a Session"):
            save(saver, None, str(tmp_path / "m"))


def test_restoring_is_refused(tmp_path):
    v = tf.Variable([1.0, 2.0], name="v")
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(v.initializer)
        path = save(saver, sess, str(tmp_path / "m"))
        with pytest.raises(ValueError, match="Can't load save_path when it is None"):
            saver.restore(sess, None)
        with pytest.raises(ValueError, match=r"not a valid checkpoint: .*none"):
            saver.restore(sess, str(tmp_path / "none"))
        missing = tf.Variable(1.0, name="b"), tf.Variable(1.0, name="a")
        with pytest.raises(tf.errors.NotFoundError, match="Keys a, b not found in checkpoint") as e:
            tf.train.Saver([v, *missing]).restore(sess, path)
        assert "missing from the checkpoint" in str(e.value)
        assert "[[node save_1/RestoreV2" in str(e.value)
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match="expected dtype int32 does not equal original dtype float",
        ):
            tf.train.Saver({"v": tf.Variable([1, 2])}).restore(sess, path)
        wrong = tf.Variable(tf.zeros([3]))
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"lhs shape= \[3\] rhs shape= \[2\]"
        ):
            tf.train.Saver({"v": wrong}).restore(sess, path)
        assert sess.run(v).tolist() == [1, 2]


def test_a_damaged_checkpoint_names_the_last_whole_one(tmp_path):
    v = tf.Variable(tf.zeros([100]), name="v")
    u = tf.Variable(tf.zeros([100]), name="u")
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(3):
            v.load(np.full(100, i, "f"))
            path = save(saver, sess, str(tmp_path / "m"), global_step=i)
        v.load(np.full(100, 9, "f"))
        u.load(np.full(100, 9, "f"))
        data = Path(path + ".data-00000-of-00001")
        raw = bytearray(data.read_bytes())
        raw[600] ^= 4  # in v; u is whole
        data.write_bytes(raw)
        with pytest.raises(tf.errors.DataLossError, match="tensor v is damaged: Checksum") as e:
            saver.restore(sess, path)
        assert f"the last checkpoint that is whole is {tmp_path / 'm-1'}" in str(e.value)
        assert sess.run([u, v])[0].tolist() == [9] * 100  # all or nothing
        saver.restore(sess, str(tmp_path / "m-1"))
        assert sess.run(v).tolist() == [1] * 100


def test_a_saver_of_operations_that_exist(tmp_path):
    v = tf.Variable(1.0, name="v")
    d = tf.train.Saver(max_to_keep=7).as_saver_def()
    saver = tf.train.Saver(saver_def=d)
    assert saver.to_proto() == d
    with tf.Session() as sess:
        sess.run(v.initializer)
        path = save(saver, sess, str(tmp_path / "m"))
        v.load(2.0)
        sess.run("save/restore_all", {"save/Const:0": path})
        assert sess.run(v) == 1


def test_an_object_of_ones_own(tmp_path):
    """What is no variable: two numbers kept as one."""
    v = tf.Variable(3.0, name="v")

    class Twice(BaseSaverBuilder.SaveableObject):
        def __init__(self):
            super().__init__(v.op, [BaseSaverBuilder.SaveSpec(v * 2, "", "twice")], "twice")

        def restore(self, restored_tensors, restored_shapes):
            return v.assign(restored_tensors[0] / 2)

    saver = tf.train.Saver([Twice()])
    with tf.Session() as sess:
        sess.run(v.initializer)
        path = save(saver, sess, str(tmp_path / "m"))
        assert tf.train.load_variable(path, "twice") == 6
        v.load(0.0)
        saver.restore(sess, path)
        assert sess.run(v) == 3


# --------------------------------------------------------------------- kills


KILLED = """
import sys, itertools
import numpy as np
from graphc.checkpoint.bundle import Item, write_bundle
from graphc.ir.dtypes import as_dtype
t = as_dtype("float32")
for i in itertools.count():
    write_bundle(sys.argv[1], [Item(n, np.full(50_000, i, "f"), t) for n in ("a", "b")])
    if not i: print("ready", flush=True)
"""


@pytest.mark.slow
def test_kills(tmp_path):
    """A process that writes one checkpoint over and over is killed at any time."""
    prefix = str(tmp_path / "m")
    rng = np.random.default_rng(0)
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, prefix], stdout=subprocess.PIPE, text=True
        ) as p:
            assert p.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, 0.1))
            p.send_signal(signal.SIGKILL)
        reader = tf.train.NewCheckpointReader(prefix)
        a, b = reader.get_tensor("a"), reader.get_tensor("b")
        assert (a == a[0]).all()
        assert np.array_equal(a, b)


def test_the_last_thread_to_save_has_the_latest_checkpoint(tmp_path, monkeypatch):
    """A supervisor's thread that is slow to write step 0 must not hide step 1."""
    step = tf.train.get_or_create_global_step()
    more = step.assign_add(1)
    saver = tf.train.Saver()
    begun, go_on = threading.Event(), threading.Event()
    real = saver._write

    def slow(*args):
        begun.set()
        if not go_on.wait(0.2):
            go_on.set()
        return real(*args)

    monkeypatch.setattr(saver, "_write", slow)
    with tf.Session() as sess:
        sess.run(step.initializer)
        t = threading.Thread(target=save, args=(saver, sess, str(tmp_path / "m"), step))
        t.start()
        assert begun.wait(LONG)
        sess.run(more)
        save(saver, sess, str(tmp_path / "m"), step)
        t.join(LONG)
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith("m-1")
