"""The ``checkpoint`` file of a folder."""

import os

import pytest

import graphc as tf
from graphc.checkpoint.state import CheckpointState, parse_state


def test_text_goes_there_and_back():
    s = CheckpointState('/a b"c\\ü\n\t', ["x", "y'"], [1.5, 2e20], 3.25)
    assert parse_state(str(s)) == s
    assert str(s).startswith('model_checkpoint_path: "/a b\\"c\\\\\\303\\274\\n\\t"\n')
    assert parse_state("# note\nmodel_checkpoint_path:'m'\n") == CheckpointState("m")


@pytest.mark.parametrize(
    "text", ["junk", "model_checkpoint_path: 3", "other: 'x'", 'model_checkpoint_path: "a', "\0"]
)
def test_what_is_no_state(tmp_path, text):
    with pytest.raises(ValueError, match=r"line 1|has the value"):
        parse_state(text)
    (tmp_path / "checkpoint").write_text(text)
    assert tf.train.get_checkpoint_state(str(tmp_path)) is None
    assert tf.train.latest_checkpoint(str(tmp_path)) is None


def test_relative_paths_are_joined_to_the_folder(tmp_path):
    tf.train.update_checkpoint_state(str(tmp_path), "m-2", ["m-1", "m-2"])
    assert (tmp_path / "checkpoint").read_text() == (
        'model_checkpoint_path: "m-2"\n'
        'all_model_checkpoint_paths: "m-1"\nall_model_checkpoint_paths: "m-2"\n'
    )
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert state.model_checkpoint_path == os.path.join(str(tmp_path), "m-2")
    assert state.all_model_checkpoint_paths == [str(tmp_path / "m-1"), str(tmp_path / "m-2")]
    assert tf.train.latest_checkpoint(str(tmp_path)) is None  # no such files
    (tmp_path / "m-2.index").write_bytes(b"")
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "m-2")
    assert tf.train.checkpoint_exists(str(tmp_path / "m-2"))
    assert not tf.train.checkpoint_exists(str(tmp_path / "m-1"))
    assert len(tf.train.get_checkpoint_mtimes([tmp_path / "m-1", tmp_path / "m-2"])) == 1


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="must match checkpoint paths"):
        tf.train.generate_checkpoint_state_proto("d", "m", ["a", "m"], [1.0])
    with pytest.raises(RuntimeError, match="conflicts with path used for checkpoint state"):
        tf.train.update_checkpoint_state(str(tmp_path), str(tmp_path / "checkpoint"))
    assert tf.train.get_checkpoint_state(str(tmp_path / "none")) is None
    with pytest.raises(ValueError, match="Couldn't find 'checkpoint' file"):
        tf.train.load_checkpoint(str(tmp_path))


def test_new_checkpoints_as_they_come(tmp_path):
    assert list(tf.train.checkpoints_iterator(str(tmp_path), timeout=0)) == []
    (tmp_path / "m.index").write_bytes(b"")
    tf.train.update_checkpoint_state(str(tmp_path), str(tmp_path / "m"))
    found = list(tf.train.checkpoints_iterator(str(tmp_path), timeout=0))
    assert found == [str(tmp_path / "m")]
