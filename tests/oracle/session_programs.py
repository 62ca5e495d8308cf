"""Programs of monitored sessions and hooks, recorded with TensorFlow 1.15."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from data_programs import error, plain

PROGRAMS: dict[str, Callable[..., Any]] = {}


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


def model(tf: Any) -> tuple[Any, Any, Any]:
    step = tf.train.get_or_create_global_step()
    w = tf.get_variable("w", [], initializer=tf.constant_initializer(4.0))
    loss = tf.square(w, name="loss")
    train = tf.train.GradientDescentOptimizer(0.25).minimize(loss, global_step=step)
    return step, loss, train


def watcher(tf: Any, log: list[Any]) -> Any:
    """A hook that writes down when it is called."""
    seven = tf.constant(7.0)

    class Watch(tf.train.SessionRunHook):  # type: ignore[misc,name-defined]
        def begin(self) -> None:
            log.append("begin")

        def after_create_session(self, session: Any, coord: Any) -> None:
            log.append(["created", tf.get_default_graph().finalized])

        def before_run(self, run_context: Any) -> Any:
            return tf.train.SessionRunArgs({"seven": seven})

        def after_run(self, run_context: Any, run_values: Any) -> None:
            log.append(plain(run_values.results))

        def end(self, session: Any) -> None:
            log.append(["end", plain(session.run(tf.train.get_global_step()))])

    return Watch()


@program
def monitored(tf: Any, np: Any, folder: str) -> Any:
    out: dict[str, Any] = {}
    log: list[Any] = []
    _, loss, train = model(tf)
    hooks = [tf.train.StopAtStepHook(last_step=5), watcher(tf, log)]
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=folder, hooks=hooks, save_checkpoint_steps=2, save_summaries_steps=None,
        log_step_count_steps=None,
    ) as s:  # fmt: skip
        got = []
        while not s.should_stop():
            s.run(train)
            got.append(s.should_stop() or plain(s.run(loss)))
        out["losses"] = got
        out["after"] = error(lambda: s.run(loss))
    out["log"] = log
    out["closed"] = [s.should_stop(), s.graph is None]
    state = tf.train.get_checkpoint_state(folder)
    base = len(folder) + 1
    out["checkpoints"] = [p[base:] for p in state.all_model_checkpoint_paths]
    out["files"] = sorted(f for f in os.listdir(folder) if f.endswith(".index"))
    return out


@program
def resumed(tf: Any, np: Any, folder: str) -> Any:
    """A second session goes on where the first one stopped."""
    out = []
    for limit in (3, 5):
        with tf.Graph().as_default():
            _, loss, train = model(tf)
            with tf.train.MonitoredTrainingSession(
                checkpoint_dir=folder, hooks=[tf.train.StopAtStepHook(last_step=limit)],
                save_summaries_steps=None, log_step_count_steps=None,
            ) as s:  # fmt: skip
                while not s.should_stop():
                    s.run(train)
        with tf.Graph().as_default(), tf.Session() as s:
            _, loss, _ = model(tf)
            tf.train.Saver().restore(s, tf.train.latest_checkpoint(folder))
            out.append(plain(s.run([loss, tf.train.get_global_step()])))
    return out


@program
def singular(tf: Any, np: Any, folder: str) -> Any:
    out: dict[str, Any] = {}
    log: list[Any] = []
    step, _, train = model(tf)
    x = tf.placeholder(tf.float32, [], name="x")
    y = x * 2.0
    final = tf.train.FinalOpsHook({"step": step})
    hooks = [watcher(tf, log), tf.train.FeedFnHook(lambda: {x: 3.0}), final,
             tf.train.StopAtStepHook(num_steps=2)]  # fmt: skip
    with tf.train.SingularMonitoredSession(hooks=hooks) as s:
        out["fed"] = plain(s.run(y))
        out["twice"] = error(lambda: s.run(y, feed_dict={x: 1.0}))
        s.run(train)
        out["raw"] = [type(s.raw_session()).__name__, plain(s.raw_session().run(step))]

        def step_fn(step_context: Any) -> Any:
            a = step_context.session.run(step)
            step_context.run_with_hooks(train)
            return plain([a, step_context.session.run(step)])

        out["step_fn"] = s.run_step_fn(step_fn)
        out["stop"] = s.should_stop()
        out["bad_step_fn"] = error(lambda: s.run_step_fn(lambda x: x))[0]
    out["final"] = plain(final.final_ops_values)
    out["log"] = log
    return out


@program
def ends(tf: Any, np: Any, folder: str) -> Any:
    """How a session ends: with the data, or with an error."""
    out: dict[str, Any] = {}
    log: list[Any] = []
    x = tf.data.Dataset.range(3).make_one_shot_iterator().get_next()
    got = []
    with tf.train.MonitoredSession(hooks=[]) as s:
        while not s.should_stop():
            got.append(plain(s.run(x)))
    out["data"] = got
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
        bad = tf.placeholder(tf.float32, [])

        def fails() -> None:
            with tf.train.MonitoredSession(hooks=[watcher(tf, log)]) as s:
                s.run(step)
                raise KeyError("from the block")

        out["error"] = [error(fails), log]
        nan = tf.train.NanTensorHook(bad)

        def diverges() -> None:
            with tf.train.SingularMonitoredSession(hooks=[nan]) as s:
                s.run(step, {bad: float("nan")})

        out["nan"] = error(diverges)
        quiet = tf.train.NanTensorHook(bad, fail_on_nan_loss=False)
        with tf.train.SingularMonitoredSession(hooks=[quiet]) as s:
            s.run(step, {bad: float("nan")})
            out["quiet"] = s.should_stop()
    return out


@program
def scaffolds(tf: Any, np: Any, folder: str) -> Any:
    out: dict[str, Any] = {}
    v = tf.get_variable("v", [], initializer=tf.constant_initializer(1.0))
    local = tf.get_variable("l", [], initializer=tf.constant_initializer(7.0),
                            collections=[tf.GraphKeys.LOCAL_VARIABLES])  # fmt: skip
    set_v = v.assign(5.0)
    scaffold = tf.train.Scaffold(init_fn=lambda scaffold, session: session.run(set_v))
    creator = tf.train.ChiefSessionCreator(scaffold)
    with tf.train.MonitoredSession(session_creator=creator) as s:
        out["values"] = plain(s.run([v, local]))
    with tf.Graph().as_default():
        tf.get_variable("never", [])
        w = tf.get_variable("w", [])
        bad = tf.train.Scaffold(init_op=w.initializer)
        kind, text = error(lambda: tf.train.SingularMonitoredSession(scaffold=bad))
        out["not_ready"] = [kind, text.split("Init op")[0], text.split("error: ")[-1]]
    out["timer"] = [
        error(lambda: tf.train.SecondOrStepTimer()),
        error(lambda: tf.train.SecondOrStepTimer(1, 1)),
    ]
    t = tf.train.SecondOrStepTimer(every_steps=3)
    due = []
    for i in range(8):
        due.append(t.should_trigger_for_step(i))
        if due[-1]:
            t.update_last_triggered_step(i)
    out["due"] = [due, t.last_triggered_step()]
    out["hooks"] = [
        error(lambda: tf.train.StopAtStepHook()),
        error(lambda: tf.train.StopAtStepHook(1, 2)),
        error(lambda: tf.train.LoggingTensorHook([v])),
        error(lambda: tf.train.CheckpointSaverHook(folder)),
        error(lambda: tf.train.SummarySaverHook(save_steps=1)),
    ]
    return out


@program
def managers(tf: Any, np: Any, folder: str) -> Any:
    step, loss, train = model(tf)
    init = tf.global_variables_initializer()
    saver = tf.train.Saver()
    ready = tf.report_uninitialized_variables()
    m = tf.train.SessionManager(ready_op=ready)
    s = m.prepare_session("", init_op=init, saver=saver, checkpoint_dir=folder)
    s.run(train)
    out = [plain(s.run([step, loss]))]
    saver.save(s, os.path.join(folder, "m"), global_step=step)
    s.close()
    s, ok = m.recover_session("", saver, folder)
    out.append([ok, plain(s.run([step, loss]))])
    out.append(error(lambda: m.prepare_session("")))
    kind, text = error(lambda: m.prepare_session("", init_op=step.initializer))
    out.append([kind, text.split("error: ")[-1]])
    return out


@program
def supervised(tf: Any, np: Any, folder: str) -> Any:
    out: dict[str, Any] = {}
    step, loss, train = model(tf)
    sv = tf.train.Supervisor(logdir=folder, save_model_secs=0, summary_op=None)
    with sv.managed_session() as s:
        got = []
        for _ in range(20):
            if sv.should_stop():
                break
            s.run(train)
            got.append(plain(s.run([loss, step])))
            if len(got) == 3:
                sv.saver.save(s, sv.save_path, global_step=step)
                sv.request_stop()
        out["losses"] = got
    out["stopped"] = [sv.should_stop(), tf.get_default_graph().finalized]
    out["path"] = [sv.save_path[len(folder) + 1 :], sv.is_chief, sv.save_model_secs]
    out["latest"] = tf.train.latest_checkpoint(folder)[len(folder) + 1 :]
    with tf.Graph().as_default():
        step, loss, train = model(tf)
        sv = tf.train.Supervisor(logdir=folder, save_model_secs=0, summary_op=None)
        with sv.managed_session() as s:
            out["resumed"] = plain(s.run([step, loss]))
    with tf.Graph().as_default():
        model(tf)
        sv = tf.train.Supervisor(logdir=None)

        def fails() -> None:
            with sv.managed_session():
                raise KeyError("inside")

        out["error"] = error(fails)
        out["no_logdir"] = [sv.save_path is None, sv.summary_writer is None]
    return out


@program
def clusters(tf: Any, np: Any, folder: str) -> Any:
    c = tf.train.ClusterSpec({"worker": ["a:1", "b:2"], "ps": {0: "c:3", 2: "d:4"}})
    out = [
        sorted(c.jobs),
        c.num_tasks("worker"), c.num_tasks("ps"), c.task_indices("ps"),
        c.task_address("worker", 1), plain(c.as_dict()), bool(c), bool(tf.train.ClusterSpec({})),
        error(lambda: c.num_tasks("none")), error(lambda: c.task_address("ps", 1)),
        error(lambda: c.job_tasks("none")), c == tf.train.ClusterSpec(c),
        c.job_tasks("worker"),
    ]  # fmt: skip
    with tf.device(tf.train.replica_device_setter(0)):
        v = tf.get_variable("v", [], initializer=tf.constant_initializer(2.0))
    server = tf.train.Server.create_local_server()
    with tf.Session(server.target) as s:
        s.run(v.initializer)
        out.append(plain(s.run(v * 2.0)))
    return out
