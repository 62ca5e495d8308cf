"""Hooks that write: to the log, to summaries, to files."""

from __future__ import annotations

import glob
import json
import logging
import pathlib
from typing import Any

import pytest

import graphc as tf


def model() -> tuple[tf.Variable, tf.Operation]:
    step = tf.train.get_or_create_global_step()
    return step, tf.assign_add(step, 1).op


def test_logging_hook(caplog: pytest.LogCaptureFixture) -> None:
    with tf.Graph().as_default():
        _, train = model()
        values = {"a": tf.constant(1.1), "b": tf.constant(2)}
        hook = tf.train.LoggingTensorHook(values, every_n_iter=2)
        last = tf.train.LoggingTensorHook(
            ["Const:0"], at_end=True, formatter=lambda v: f"end {v['Const:0']}"
        )
        with (
            caplog.at_level(logging.INFO, "tensorflow"),
            tf.train.SingularMonitoredSession(hooks=[hook, last]) as s,
        ):
            for _ in range(3):
                s.run(train)
    found = [r.message for r in caplog.records]
    lines = [m for m in found if m.startswith("a = ")]
    assert lines[0] == "a = 1.1, b = 2"  # a float32 is not printed as a double
    assert lines[1].startswith("a = 1.1, b = 2 (")
    assert len(lines) == 2
    assert found[-1].startswith("end 1.1")


def test_step_counter_and_summaries(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("tensorboard")
    with tf.Graph().as_default():
        step, train = model()
        tf.summary.scalar("step", tf.cast(step, tf.float32))
        with (
            caplog.at_level(logging.INFO, "tensorflow"),
            tf.train.MonitoredTrainingSession(
                checkpoint_dir=str(tmp_path), save_summaries_steps=2, log_step_count_steps=2,
                save_checkpoint_secs=None,
            ) as s,
        ):  # fmt: skip
            for _ in range(7):
                s.run(train)
    tf.summary.FileWriterCache.clear()
    (file,) = glob.glob(str(tmp_path / "events*"))
    events = list(tf.train.summary_iterator(file))
    values = [(e.step, v.tag) for e in events for v in e.summary.value]
    assert [s for s, tag in values if tag == "step"] == [1, 3, 5, 7]
    assert [s for s, tag in values if tag == "global_step/sec"] == [3, 5, 7]
    assert any(r.message.startswith("global_step/sec: ") for r in caplog.records)


def test_profiler_hook_writes_a_trace(tmp_path: pathlib.Path) -> None:
    with tf.Graph().as_default():
        _, train = model()
        hook = tf.train.ProfilerHook(save_steps=1, output_dir=str(tmp_path))
        with tf.train.SingularMonitoredSession(hooks=[hook]) as s:
            for _ in range(3):
                s.run(train)
    files = sorted(p.name for p in tmp_path.iterdir())
    assert files == ["timeline-2.json", "timeline-3.json"]
    events = json.loads((tmp_path / files[0]).read_text())["traceEvents"]
    assert {e["name"] for e in events} > {"Session.run"}
    assert any(e["args"].get("kernel") for e in events if e["ph"] == "X" and e["dur"] > 0)


def test_profiler_hook_that_cannot_write(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning; the run goes on, and is traced no more."""
    (tmp_path / "file").touch()
    with tf.Graph().as_default(), caplog.at_level(logging.WARNING):
        step, train = model()
        hook = tf.train.ProfilerHook(save_steps=1, output_dir=str(tmp_path / "file" / "x"))
        with tf.train.SingularMonitoredSession(hooks=[hook]) as s:
            for _ in range(4):
                s.run(train)
            assert s.run(step) == 4
    said = [r.getMessage() for r in caplog.records if "timelines" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(f"No timelines are written to {tmp_path / 'file' / 'x'}: ")


def test_listeners_of_checkpoints(tmp_path: pathlib.Path) -> None:
    seen: list[object] = []

    class Listener(tf.train.CheckpointSaverListener):
        def begin(self) -> None:
            seen.append("begin")

        def before_save(self, session: object, global_step_value: int) -> None:
            seen.append(("before", global_step_value))

        def after_save(self, session: object, global_step_value: int) -> bool:
            seen.append(("after", global_step_value))
            return global_step_value == 2

        def end(self, session: object, global_step_value: int) -> None:
            seen.append(("end", global_step_value))

    with tf.Graph().as_default():
        _, train = model()
        scaffold = tf.train.Scaffold()
        hook = tf.train.CheckpointSaverHook(
            str(tmp_path), save_steps=2, scaffold=scaffold, listeners=[Listener()]
        )
        with tf.train.SingularMonitoredSession(hooks=[hook], scaffold=scaffold) as s:
            while not s.should_stop():
                s.run(train)
    both = [("before", 0), ("after", 0), ("before", 2), ("after", 2)]
    assert seen == ["begin", *both, ("end", 2)]


def test_a_remote_session_is_refused() -> None:
    with pytest.raises(tf.errors.UnimplementedError, match="grpc"):
        tf.Session("grpc://somewhere:2222")


def test_a_finalized_graph_gets_a_second_session(tmp_path: pathlib.Path) -> None:
    with tf.Graph().as_default():
        _, train = model()
        step = tf.train.get_global_step()
        for last in (2, 4):
            hooks = [tf.train.StopAtStepHook(last_step=last), tf.train.StepCounterHook()]
            with tf.train.MonitoredTrainingSession(
                checkpoint_dir=str(tmp_path), hooks=hooks, log_step_count_steps=None
            ) as s:
                while not s.should_stop():
                    s.run(train)
                assert step.graph.finalized
            assert tf.train.load_variable(str(tmp_path), "global_step") == last


def _training() -> Any:
    step = tf.train.get_or_create_global_step()
    return tf.group(tf.Variable(1.0, name="x").assign_add(1.0), step.assign_add(1))


def _monitored(folder: str) -> None:
    train = _training()
    with tf.train.MonitoredTrainingSession(checkpoint_dir=folder) as sess:
        assert pathlib.Path(folder, "graph.pbtxt").exists()  # before the first step
        sess.run(train)


def _supervised(folder: str) -> None:
    train = _training()
    supervisor = tf.train.Supervisor(logdir=folder)
    with supervisor.managed_session() as sess:
        sess.run(train)


@pytest.mark.parametrize("run", [_monitored, _supervised])
def test_graph_is_written_as_text(run: Any, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("tensorboard")
    from google.protobuf import text_format

    with tf.Graph().as_default():
        run(str(tmp_path))
    read = text_format.Parse((tmp_path / "graph.pbtxt").read_text(), tf.GraphDef())
    nodes = {n.name: n for n in read.node}
    assert nodes["x"].op == "VariableV2"
    assert "_output_shapes" in nodes["x/read"].attr
