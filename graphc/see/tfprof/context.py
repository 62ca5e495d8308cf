"""``tf.contrib.tfprof``: profiles of some runs of a training, and the functions' older names."""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphc.face import session as sessions
from graphc.face.config import RunOptions
from graphc.face.graph import get_default_graph
from graphc.proto import message
from graphc.see.tfprof.options import ProfileOptionBuilder
from graphc.see.tfprof.profiling import Profiler, profile

__all__ = [
    "FLOAT_OPS_OPTIONS", "PRINT_ALL_TIMING_MEMORY", "TRAINABLE_VARS_PARAMS_STAT_OPTIONS",
    "ProfileContext", "print_model_analysis",
]  # fmt: skip

#: Runs that are traced where nothing else is asked for: all of the first, then some.
_EARLY, _LATE, _MOST_TRACES = 10, 100, 200


def _older(options: dict[str, Any]) -> dict[str, Any]:
    """Options as they were called before ``ProfileOptionBuilder``."""
    return {k: v for k, v in {**options, "dump_to_file": ""}.items() if k not in _NEWER}


_NEWER = (
    "min_occurrence", "step", "min_peak_bytes", "min_residual_bytes", "min_output_bytes",
    "min_accelerator_micros", "min_cpu_micros",
)  # fmt: skip
TRAINABLE_VARS_PARAMS_STAT_OPTIONS = _older(ProfileOptionBuilder.trainable_variables_parameter())
FLOAT_OPS_OPTIONS = _older(ProfileOptionBuilder.float_operation())
PRINT_ALL_TIMING_MEMORY = _older({**ProfileOptionBuilder.time_and_memory(), "order_by": "name"})


def print_model_analysis(
    graph: Any, run_meta: Any = None, op_log: Any = None, tfprof_cmd: str = "scope",
    tfprof_options: Any = TRAINABLE_VARS_PARAMS_STAT_OPTIONS,
) -> Any:  # fmt: skip
    """Print the report of a profile; ``tf.profiler.profile`` is its newer name."""
    return profile(graph, run_meta, op_log, tfprof_cmd, tfprof_options)


class ProfileContext:
    """Traces some of the runs made while it is open, and profiles them.

    Parameters
    ----------
    profile_dir : str
        The folder that gets the profiles, ``profile_<step>``.
    trace_steps : iterable of int, optional
        Which runs are traced, counted from 1; the first ten and about a hundred later ones if not
        given.
    dump_steps : iterable of int, optional
        After which runs a profile is written.
    enabled : bool
    debug : bool
        Whether to print each step that is traced or written.
    """

    _open: ProfileContext | None = None

    def __init__(
        self, profile_dir: str, trace_steps: Iterable[int] | None = None,
        dump_steps: Iterable[int] | None = None, enabled: bool = True, debug: bool = False,
    ) -> None:  # fmt: skip
        if not profile_dir:
            raise ValueError("Must have a directory for profile.\n")
        self._dir, self._enabled, self._debug = profile_dir, enabled, debug
        self._trace_steps = None if trace_steps is None else set(trace_steps)
        self._dump_steps = set() if dump_steps is None else set(dump_steps)
        self._auto: list[tuple[str, Any, set[int]]] = []
        self._made: dict[str, list[Any]] = {}
        self._step, self._traced = 0, 0
        self._trace_next = self._dump_next = False
        self._lock = threading.Lock()
        self._profiler: Profiler | None = None
        self._random = random.Random(0)

    def add_auto_profiling(self, cmd: str, options: Any, profile_steps: Iterable[int]) -> None:
        """Profile the runs of these numbers with a command (``scope``, ``op``, …) and options."""
        if self._enabled:
            self._auto.append((cmd, options, set(profile_steps)))

    @property
    def profiler(self) -> Profiler | None:
        """The profiler that gets the traces; None when this context is not enabled."""
        if not self._enabled:
            return None
        if self._profiler is None:
            self._profiler = Profiler(get_default_graph())
        return self._profiler

    def trace_next_step(self) -> None:
        """Trace the next run."""
        self._trace_next = self._enabled

    def dump_next_step(self) -> None:
        """Trace the next run, and write the profile behind it."""
        self._dump_next = self._trace_next = self._enabled

    def get_profiles(self, cmd: str) -> list[Any]:
        """What automatic profiling with a command has found.

        Raises
        ------
        ValueError
            When there is none of that command.
        """
        if cmd not in self._made:
            raise ValueError(f"No autoprofiler for command: {cmd}, was run")
        return self._made[cmd]

    def _wants(self, step: int) -> bool:
        if self._trace_next or step in self._dump_steps:
            return True
        if any(step in steps for _, _, steps in self._auto):
            return True
        if self._trace_steps is not None:
            return step in self._trace_steps
        if self._traced > _MOST_TRACES:
            return False
        return step <= _EARLY or self._random.random() < _EARLY / _LATE

    def _ran(self, step: int, metadata: Any) -> None:
        """Take over the trace of a run."""
        profiler = self.profiler
        assert profiler is not None
        profiler.add_step(step, metadata)
        self._traced += 1
        for cmd, options, steps in self._auto:
            if step in steps:
                one = Profiler(profiler._graph)
                one.add_step(step, metadata)
                ask: Callable[[Any], Any] = {
                    "graph": one.profile_graph, "scope": one.profile_name_scope,
                    "op": one.profile_operations, "code": one.profile_python,
                }[cmd]  # fmt: skip
                self._made.setdefault(cmd, []).append(ask(options))
        if self._dump_next or step in self._dump_steps:
            os.makedirs(self._dir, exist_ok=True)
            with open(os.path.join(self._dir, f"profile_{step}"), "wb") as f:
                f.write(profiler.serialize_to_string())
        if self._debug:
            print(f"debug: traced step: {step}")
        self._trace_next = self._dump_next = False

    def _run(self, run: Any, session: Any, fetches: Any, feed_dict: Any, options: Any,
             run_metadata: Any) -> Any:  # fmt: skip
        with self._lock:
            self._step += 1
            step = self._step
            wanted = self._wants(step)
        if not wanted:
            return run(session, fetches, feed_dict, options, run_metadata)
        config = RunOptions() if options is None else options
        config.trace_level = 3
        metadata = message("RunMetadata")() if run_metadata is None else run_metadata
        result = run(session, fetches, feed_dict, config, metadata)
        with self._lock:
            self._ran(step, metadata)
        return result

    def __enter__(self) -> ProfileContext:
        if ProfileContext._open is not None:
            raise ValueError("There is already a ProfileContext: they cannot be nested")
        self._undo = contextlib.ExitStack()
        if self._enabled:
            self._undo.enter_context(self._watching())
            ProfileContext._open = self
        return self

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        """See each run of a session."""
        cls = sessions.BaseSession
        run = cls.run

        def traced(
            session: Any, fetches: Any, feed_dict: Any = None, options: Any = None,
            run_metadata: Any = None,
        ) -> Any:  # fmt: skip
            return self._run(run, session, fetches, feed_dict, options, run_metadata)

        cls.run = traced  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            cls.run = run  # type: ignore[method-assign]

    def __exit__(self, *error: Any) -> None:
        ProfileContext._open = None
        self._undo.close()
