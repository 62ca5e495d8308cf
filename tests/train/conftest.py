"""A fresh default graph for every test."""

from collections.abc import Iterator

import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()
