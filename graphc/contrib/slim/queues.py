"""tf.contrib.slim.queues: queue runners that run as long as a block does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphc.face.current import get_collection
from graphc.face.graph_keys import GraphKeys
from graphc.train.coordinator import Coordinator

__all__ = ["NestedQueueRunnerError", "QueueRunners"]

_inside = threading.local()


class NestedQueueRunnerError(Exception):
    """A block of `QueueRunners` was begun inside another."""


@contextmanager
def QueueRunners(session: Any) -> Iterator[None]:
    """Start the queue runners of the default graph, and stop them behind the block.

    Raises
    ------
    NestedQueueRunnerError
    """
    if getattr(_inside, "running", False):
        raise NestedQueueRunnerError("QueueRunners cannot be nested")
    coord = Coordinator()
    threads: list[Any] = []
    _inside.running = True
    try:
        for runner in get_collection(GraphKeys.QUEUE_RUNNERS):
            threads += runner.create_threads(session, coord=coord, daemon=True, start=True)
        yield
    finally:
        coord.request_stop()
        _inside.running = False
        try:
            coord.join(threads, stop_grace_period_secs=120)
        except RuntimeError:  # some wait for an element or for room: closing wakes them
            session.close()
