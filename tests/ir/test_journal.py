"""The journal of a compilation: what changed into what, and by which rule."""

import graphc as tf
from graphc.ir import journal


def compiled() -> journal.Journal:
    with tf.Graph().as_default() as g, journal.recording() as log:
        x = tf.placeholder(tf.float32, [None], name="x")
        y = tf.identity(x * 1.0 + (tf.constant(2.0) + 3.0), name="y")
        tf.optimize(g, y)
    return log


def test_rules_and_passes_are_written_down() -> None:
    log = compiled()
    rules = {(c.stage, c.rule) for c in log.changes if c.rule}
    assert any(stage == "simplify" and "mul" in rule for stage, rule in rules), rules
    folded = [c for c in log.changes if c.stage == "fold"]
    assert [c.new.node.op.name for c in folded if c.old.node.op.name == "add"][:1] == ["constant"]


def test_nothing_is_written_unless_asked() -> None:
    assert journal.current() is None
    with journal.recording() as log:
        assert journal.current() is log
    assert journal.current() is None
    assert not log.changes
