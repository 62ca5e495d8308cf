"""What tests of the shim share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import graphc as tf
from graphc import shim


@pytest.fixture
def as_tensorflow() -> Iterator[None]:
    """`import tensorflow` is answered by graphc, and the graph is a new one."""
    tf.reset_default_graph()
    shim.install()
    yield
    shim.remove()
