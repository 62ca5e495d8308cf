"""`Session`: what is fetched and fed, checked once, then a dictionary lookup for each run."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, NoReturn

from graphc.errors import InvalidArgumentError, NotFoundError
from graphc.face import engines
from graphc.face.config import ConfigProto, OptimizerOptions, RunOptions
from graphc.face.default_session import sessions
from graphc.face.elements import Tensor, of_one_process
from graphc.face.fetches import ATOMS, Fetches, Pack, expansion, flattened, leaves_of, signature_of
from graphc.face.graph import Graph, get_default_graph
from graphc.face.settings import get_intra_op_parallelism_threads

__all__ = ["BaseSession", "InteractiveSession", "Session"]


class _Plan:
    """One prepared run."""

    __slots__ = ("pack", "run", "spread")

    def __init__(self, run: Callable[..., list[Any]], pack: Pack, spread: Any) -> None:
        self.run = run
        self.pack = pack
        #: None where the values of ``feed_dict`` are the values of the run, else takes them apart.
        self.spread: Callable[[Any], list[Any]] | None = spread


def _nothing_to_run(*values: Any) -> list[Any]:
    return []


def make_executor(graph: Graph, config: ConfigProto) -> Any:
    """The runtime behind a new session (imported with the first session)."""
    runtime = importlib.import_module("graphc.runtime.executor")
    folder = os.environ.get("GRAPHC_DUMP")
    if folder:
        importlib.import_module("graphc.see.folders").watch(folder)
    threads = config.intra_op_parallelism_threads or get_intra_op_parallelism_threads()
    if threads < 0:  # TensorFlow ends the process
        raise InvalidArgumentError(
            None, None,
            f"intra_op_parallelism_threads is {threads}: it must be a number of threads, or 0 for "
            "one thread a core",
        )  # fmt: skip
    level = config.graphc_level
    off = config.graph_options.optimizer_options.opt_level == OptimizerOptions.L0
    if off and not config.HasField("graphc_level"):
        level = 0
    options = runtime.Options(
        level=level,
        passes=config.graphc_passes or None,
        off=tuple(config.graphc_passes_off),
        threads=threads,
        check=config.graphc_check,
        numerics=config.graphc_check_numerics,
        memory_limit=config.graphc_memory_limit,
    )
    executor = runtime.Executor(graph, runtime.State(), options)
    runs = os.environ.get("GRAPHC_CHECK", "0")
    if runs.isdigit() and int(runs):
        executor.checker = importlib.import_module("graphc.see.check").checker(int(runs))
    return executor


_partial_runs = count(1)


class _DefaultSession:
    """``with session.as_default():``."""

    __slots__ = ("graph", "session")

    def __init__(self, session: BaseSession) -> None:
        self.session = session

    def __enter__(self) -> BaseSession:
        sessions.stack.append(self.session)
        return self.session

    def __exit__(self, *exc: object) -> None:
        stack = sessions.stack
        for i in range(len(stack) - 1, -1, -1):
            if stack[i] is self.session:
                del stack[i]
                break


class DeviceAttributes(NamedTuple):
    """What ``session.list_devices()`` says of a device."""

    name: str
    device_type: str
    memory_limit_bytes: int
    incarnation: int = 0


class BaseSession:
    """Runs operations of one graph and keeps the values of its variables."""

    __reduce_ex__ = of_one_process

    def __init__(
        self, target: Any = "", graph: Graph | None = None, config: Any = None,
        check_numerics: bool = False, memory_limit: int = 0,
    ) -> None:  # fmt: skip
        if graph is None:
            graph = get_default_graph()
        elif not isinstance(graph, Graph):
            raise TypeError(f"graph must be a tf.Graph, but got {type(graph)}")
        if target is not None and not isinstance(target, str | bytes):
            hint = (
                ' Did you do "Session(config)" instead of "Session(config=config)"?'
                if isinstance(target, ConfigProto) else ""
            )  # fmt: skip
            raise TypeError(
                f"target must be a string, but got {type(target)}{'.' if hint else ''}{hint}"
            )
        where = target.decode() if isinstance(target, bytes) else target or ""
        if where and "://" not in where:
            raise NotFoundError(
                None, None, f'No session factory registered for the target "{where}": it is "" or '
                'the address of a tf.train.Server of this process ("grpc://host:port").',
            )  # fmt: skip
        self._engine = engines.engine_at(where) if where else None
        if config is None:
            config = ConfigProto()
        elif not isinstance(config, ConfigProto):
            raise TypeError(f"config must be a tf.ConfigProto, but got {type(config)}")
        if check_numerics or memory_limit:
            asked, config = config, ConfigProto()
            config.CopyFrom(asked)
            config.graphc_check_numerics |= bool(check_numerics)
            config.graphc_memory_limit = memory_limit or config.graphc_memory_limit
        limit = config.graphc_memory_limit
        if not isinstance(limit, int) or limit < 0:
            raise ValueError(
                f"memory_limit must be a number of bytes, or 0 for none, not {limit!r}"
            )
        self._graph = graph
        self._config = config
        self._target = target
        self._closed = False
        self._executor = make_executor(graph, config)
        if self._engine is not None:
            self._executor.state = self._engine.enter(self, self._executor.state)
        if config.operation_timeout_in_ms > 0:
            self.__dict__["run"] = self._run_in_time
        #: Prepared runs: without feeds, with feeds, and of flat lists with or without feeds.
        self._plain: dict[Any, _Plan] = {}
        self._fed: dict[Any, _Plan] = {}
        self._listed: dict[Any, _Plan] = {}
        self._partial: dict[str, Any] = {}

    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def graph_def(self) -> Any:
        return self._graph.as_graph_def()

    @property
    def sess_str(self) -> Any:
        return self._target

    def list_devices(self) -> list[DeviceAttributes]:
        """The one device there is."""
        return [DeviceAttributes("/job:localhost/replica:0/task:0/device:CPU:0", "CPU", 0)]

    def close(self) -> None:
        """Give up the values of variables; later runs raise RuntimeError."""
        self._closed = True
        self._forget()
        executor, self._executor = self._executor, None
        if executor is None:
            return
        executor.closed.set()
        if self._engine is not None:
            self._engine.leave(self)
        else:
            executor.state.close()

    def _forget(self) -> None:
        """Let go of prepared runs: what comes next is prepared anew, or refused."""
        self._plain, self._fed, self._listed = {}, {}, {}

    def as_default(self) -> _DefaultSession:
        """A context in which ``Tensor.eval`` and ``Operation.run`` use this session."""
        return _DefaultSession(self)

    def run(
        self,
        fetches: Any,
        feed_dict: Mapping[Any, Any] | None = None,
        options: Any = None,
        run_metadata: Any = None,
    ) -> Any:
        """Run what `fetches` need, each operation at most once, and return their values.

        Parameters
        ----------
        fetches : tensor, operation, variable, name, or nested lists, tuples and dicts of them
            The result has the same structure, with None for operations.
        feed_dict : dict, optional
            Values for placeholders, or for any other tensors. They are converted to the tensor's
            element type and must fit its static shape.
        options : RunOptions, optional
            With a `trace_level`, the times of all steps are written into `run_metadata`.
        run_metadata : RunMetadata, optional

        Raises
        ------
        RuntimeError
            When the session is closed, or its graph empty.
        TypeError, ValueError
            When something cannot be fetched or fed.
        graphc.errors.OpError
            When an operation fails; variables are then as they were before.

        Examples
        --------
        >>> import graphc as tf
        >>> with tf.Graph().as_default(), tf.Session() as sess:
        ...     x = tf.placeholder(tf.float32, [None])
        ...     print(sess.run(x * 2.0, {x: [1, 2, 3]}))
        [2. 4. 6.]
        """
        if options is not None or run_metadata is not None:
            see = importlib.import_module("graphc.see.metadata")
            return see.run_with_options(self, fetches, feed_dict, options, run_metadata)
        kind = type(fetches)
        try:
            if kind is list:
                key = (*fetches, None, *feed_dict) if feed_dict else tuple(fetches)
                plan = self._listed[key]
            elif kind not in ATOMS:
                plan = self._structured(fetches, feed_dict)
            elif feed_dict:
                key = (fetches, *feed_dict)
                plan = self._fed[key]
            else:
                plan = self._plain[fetches]
        except (KeyError, TypeError):
            plan = self._prepare(fetches, feed_dict)
        if not feed_dict:
            return plan.pack(plan.run())
        spread = plan.spread
        values = feed_dict.values() if spread is None else spread(feed_dict)
        try:
            results = plan.run(*values)
        except (TypeError, ValueError, NotImplementedError):
            _refuse_tensors(feed_dict)
            raise
        return plan.pack(results)

    def _run_in_time(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """`run` of a session all of whose runs must end in time."""
        asked, options = options, RunOptions(timeout_in_ms=self._config.operation_timeout_in_ms)
        if asked is not None:
            options.CopyFrom(asked)
            options.timeout_in_ms = asked.timeout_in_ms or self._config.operation_timeout_in_ms
        return type(self).run(self, fetches, feed_dict, options, run_metadata)

    def _structured(self, fetches: Any, feed_dict: Any) -> _Plan:
        """The plan of a nested fetch, by its structure."""
        key = (signature_of(fetches), *(feed_dict or ()))
        plan = self._fed.get(key)
        if plan is None:
            plan = self._prepare(fetches, feed_dict, key)
        return plan

    def _opened(self) -> Any:
        """The executor, while no other thread has closed the session."""
        executor = self._executor
        if self._closed or executor is None:
            raise RuntimeError("Attempted to use a closed Session.")
        return executor

    def _prepare(self, fetches: Any, feed_dict: Any, key: Any = None) -> _Plan:
        """Check fetches and feeds, prepare the run, and remember it for the quick path.

        Nested fetches are remembered under `key`.
        """
        executor = self._opened()
        if self._graph.version == 0:
            raise RuntimeError(
                "The Session graph is empty.  Add operations to the graph before calling run()."
            )
        feeds, spread = self._feeds(feed_dict)
        wanted = Fetches(self._graph)
        pack = wanted.whole(fetches)
        elements = tuple(wanted.elements)
        run = executor.prepare(elements, feeds) if elements else _nothing_to_run
        plan = _Plan(run, pack, spread)
        if key is not None:
            self._fed[key] = plan
        else:
            self._remember(plan, fetches, tuple(feed_dict) if feed_dict else ())
        if self._closed:  # by another thread meanwhile
            self._forget()
        return plan

    def _remember(self, plan: _Plan, fetches: Any, keys: tuple[Any, ...]) -> None:
        if type(fetches) is list:
            if all(type(f) in ATOMS for f in fetches):
                key = (*fetches, None, *keys) if keys else tuple(fetches)
                self._listed[key] = plan
        elif type(fetches) in ATOMS:
            if keys:
                key = (fetches, *keys)
                self._fed[key] = plan
            else:
                self._plain[fetches] = plan

    def _feeds(self, feed_dict: Any) -> tuple[tuple[Tensor, ...], Any]:
        """The fed tensors, and what takes a feed_dict apart (None where its values are all)."""
        if not feed_dict:
            return (), None
        pairs = flattened(feed_dict)
        tensors: list[Tensor] = []
        for key, value in pairs:
            t = self._fed_tensor(key)
            if isinstance(value, Tensor):
                _refuse_tensors(feed_dict)
            if not self._graph.is_feedable(t):
                raise ValueError(f"Tensor {t!s} may not be fed.")
            tensors.append(t)
        unique = tuple(dict.fromkeys(tensors))
        simple = all(a is b for a, (b, _) in zip(feed_dict, pairs, strict=False))
        if simple and len(unique) == len(pairs) == len(feed_dict):
            return unique, None
        last = [max(i for i, t in enumerate(tensors) if t is u) for u in unique]

        def spread(feed_dict: Any) -> list[Any]:
            values = [v for _, v in flattened(feed_dict)]
            return [values[i] for i in last]

        return unique, spread

    def _fed_tensor(self, key: Any) -> Tensor:
        try:
            t: Tensor = self._graph.as_graph_element(key, allow_operation=False)
        except (TypeError, ValueError, KeyError) as e:
            raise TypeError(f"Cannot interpret feed_dict key as Tensor: {e.args[0]}") from None
        return t

    def report(
        self, fetches: Any, path: Any = "report.html",
        feed_dict: Mapping[Any, Any] | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        """Write a page that shows what the compiler makes of a run, and where its time goes.

        See Also
        --------
        graphc.report : the same, with all its options.
        """
        from graphc.see.report import report

        return report(fetches, path, feed_dict, self, **options)

    def make_callable(
        self, fetches: Any, feed_list: Sequence[Any] | None = None, accept_options: bool = False
    ) -> Callable[..., Any]:
        """A function that runs `fetches`; its arguments are the values of `feed_list`.

        It takes `options` and `run_metadata` by name, as `run` does.

        Raises
        ------
        TypeError, ValueError
            When something cannot be fetched or fed.
        """
        if feed_list is not None and not isinstance(feed_list, list | tuple):
            raise TypeError("`feed_list` must be a list or tuple.")
        keys = list(feed_list or ())

        def with_options(*args: Any, **options: Any) -> Any:
            return self.run(fetches, dict(zip(keys, args, strict=True)), **options)

        if any(isinstance(k, list | tuple) or expansion(k) for k in keys):
            return with_options
        executor = self._opened()
        feeds = tuple([self._fed_tensor(k) for k in keys])
        wanted = Fetches(self._graph)
        pack = wanted.whole(fetches)
        elements = tuple(wanted.elements)
        run = executor.prepare(elements, feeds) if elements else _nothing_to_run
        count = len(feeds)

        def call(*args: Any, **options: Any) -> Any:
            if len(args) != count or self._closed:
                self._refuse_call(args, count)
            if options:
                return with_options(*args, **options)
            return pack(run(*args))

        return call

    def _refuse_call(self, args: Sequence[Any], count: int) -> NoReturn:
        self._opened()
        raise TypeError(f"The callable takes {count} values, one for each feed, got {len(args)}.")

    def partial_run_setup(self, fetches: Any, feeds: Any = None) -> str:
        """Begin a run whose feeds and fetches come a few at a time: a handle for `partial_run`.

        Parameters
        ----------
        fetches : as for `run`
            All that will be fetched. Operations run once what they need has been fed.
        feeds : list, optional
            All that will be fed.
        """
        from graphc.face.partial import PartialRun

        wanted = Fetches(self._graph)
        wanted.packer(fetches)
        self._opened()
        if not wanted.elements:
            raise InvalidArgumentError(
                None, None, "Must specify at least one target to fetch or execute."
            )
        given = self._feeds(dict.fromkeys(feeds or ()))[0]
        made = PartialRun(self, list(wanted.elements), given)
        names = [",".join(sorted(e.name for e in part)) for part in (given, wanted.elements)]
        handle = f"{'->'.join(names)};{next(_partial_runs)}"
        self._partial[handle] = made
        return handle

    def partial_run(self, handle: str, fetches: Any, feed_dict: Any = None) -> Any:
        """Go on with a run that `partial_run_setup` began; no operation of it runs twice.

        Raises
        ------
        InvalidArgumentError
            When all was fetched or a step failed, and for what was not set up, was fed or fetched
            before, or needs what was not fed yet.
        RuntimeError
            When an operation is fetched.
        """
        from graphc.face.partial import no_handle

        going = self._partial.get(handle)
        if going is None:
            raise no_handle()
        wanted = Fetches(self._graph)
        pack = wanted.whole(fetches)
        feeds, spread = self._feeds(feed_dict)
        values = list(feed_dict.values()) if spread is None and feed_dict else []
        fed = dict(zip(feeds, spread(feed_dict) if spread else values, strict=True))
        try:
            return pack(going.run(list(wanted.elements), fed))
        finally:
            if going.over:
                del self._partial[handle]

    @staticmethod
    def reset(target: str = "", containers: Any = None, config: Any = None) -> None:
        """Give up the variables of a server of this process; other sessions have their own."""
        if "://" in target:
            engines.engine_at(target).reset()


def _refuse_tensors(feed_dict: Any) -> None:
    """Raise TF1's error when a fed value is a tensor."""
    if not isinstance(feed_dict, Mapping):
        return
    for key, value in feed_dict.items():
        if any(isinstance(v, Tensor) for v in leaves_of(value)):
            raise TypeError(
                "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include "
                "Python scalars, strings, lists, numpy ndarrays, or TensorHandles. For reference, "
                f"the tensor object was {value!s} which was passed to the feed with key {key!s}."
            ) from None


class Session(BaseSession):
    """Runs operations of one graph and keeps the values of its variables.

    Parameters
    ----------
    target : str
        The ``target`` of a `tf.train.Server` of this process, whose variables the session shares.
    graph : Graph, optional
        The default graph if not given.
    config : ConfigProto, optional
    check_numerics : bool
        A run that makes an infinity or a NaN fails with InvalidArgumentError, which names the op
        and what it was given; no variable changes. Costs a few percent.
    memory_limit : int
        Bytes that the temporaries of a run may take (each native part of it); variables, feeds and
        results are not counted. Values are computed a second time where that saves memory, with
        the same results; where it does not suffice, ResourceExhaustedError says what is missing.
        0 is no limit.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     x = tf.constant([1.0, 2.0])
    ...     with tf.Session() as sess:
    ...         print(sess.run(x + 1.0))
    [2. 3.]
    """

    def __init__(
        self, target: Any = "", graph: Graph | None = None, config: Any = None,
        check_numerics: bool = False, memory_limit: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(target, graph, config, check_numerics, memory_limit)
        self._contexts: list[tuple[Any, Any]] = []

    def __enter__(self) -> Session:
        contexts = self._graph.as_default(), self.as_default()
        for c in contexts:
            c.__enter__()
        self._contexts.append(contexts)
        return self

    def __exit__(self, *exc: Any) -> None:
        graph, session = self._contexts.pop()
        session.__exit__(*exc)
        graph.__exit__(*exc)
        self.close()


class InteractiveSession(BaseSession):
    """A session that is the default session from its creation until `close`.

    Parameters
    ----------
    target : str
    graph : Graph, optional
        Becomes the default graph too.
    config : ConfigProto, optional
    check_numerics, memory_limit
        See `Session`.
    """

    _active = 0

    def __init__(
        self, target: Any = "", graph: Graph | None = None, config: Any = None,
        check_numerics: bool = False, memory_limit: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(target, graph, config, check_numerics, memory_limit)
        if InteractiveSession._active:
            warnings.warn(
                "An interactive session is already active. This can cause out-of-memory errors in "
                "some cases. You must explicitly call `InteractiveSession.close()` to release "
                "resources held by the other session(s).",
                stacklevel=2,
            )
        InteractiveSession._active += 1
        self._default: Any = self.as_default()
        self._default.__enter__()
        self._default_graph: Any = None
        if graph is not None:
            self._default_graph = graph.as_default()
            self._default_graph.enforce = False
            self._default_graph.__enter__()

    def close(self) -> None:
        """Stop being the default session and give up the values of variables."""
        if self._default is not None:
            InteractiveSession._active -= 1
            self._default.__exit__()
            self._default = None
        if self._default_graph is not None:
            self._default_graph.__exit__()
            self._default_graph = None
        super().close()
