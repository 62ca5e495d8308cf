"""tf.test: a test case with sessions and comparisons of arrays, and checks of gradients."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import numpy as np

from graphc import errors
from graphc.face.config import ConfigProto
from graphc.face.current import set_random_seed
from graphc.face.default_session import get_default_session
from graphc.face.devices import canonical_name
from graphc.face.gradients import gradients
from graphc.face.graph import Graph, get_default_graph, reset_default_graph
from graphc.face.session import Session
from graphc.ops.convert import constant
from graphc.test_asserts import MoreAsserts

__all__ = [
    "Benchmark", "StubOutForTesting", "TestCase", "compute_gradient", "compute_gradient_error",
    "get_temp_dir", "main", "mock", "test_src_dir_path",
]  # fmt: skip

_folder: str | None = None


def get_temp_dir() -> str:
    """A folder for the files of tests, which is removed when the process ends."""
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="graphc-test-", dir=os.environ.get("TEST_TMPDIR"))
        atexit.register(shutil.rmtree, _folder, True)
    return _folder


def test_src_dir_path(relative_path: str) -> str:
    """A path below the folder of the script."""
    return os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), relative_path)


test_src_dir_path.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tests of the script and end the process."""
    from graphc import flags

    rest = flags.FLAGS(list(sys.argv if argv is None else argv), known_only=True)
    unittest.main(argv=list(rest))


class _Thread(threading.Thread):
    """A thread whose exception fails the test that joins it."""

    def __init__(self, test: TestCase, target: Callable[..., Any], args: Any, kwargs: Any) -> None:
        super().__init__(daemon=True)
        self._test: TestCase = test
        self._call: Callable[[], Any] = lambda: target(*(args or ()), **(kwargs or {}))
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._call()
        except BaseException as e:
            self._error = e

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        if self._error is not None:
            self._test.fail(f"Error in checkedThread: {self._error}")


class TestCase(MoreAsserts):
    """A test with a graph of its own, sessions, and comparisons of arrays and tensors."""

    #: Those of a test whose own ``setUp`` does not call this one are made as well.
    _session: Any = None
    _folder: str | None = None

    def setUp(self) -> None:
        random.seed(87654321)
        np.random.seed(87654321)
        reset_default_graph()
        set_random_seed(87654321)
        self._session = None
        self._folder = None

    def tearDown(self) -> None:
        if getattr(self, "_session", None) is not None:
            self._session.close()
            self._session = None

    # ---- sessions and values
    @contextlib.contextmanager
    def session(
        self, graph: Graph | None = None, config: ConfigProto | None = None,
        use_gpu: bool = False, force_gpu: bool = False,
    ) -> Iterator[Session]:  # fmt: skip
        """A new session, the default inside the block."""
        graph = graph or get_default_graph()
        with graph.as_default(), Session(graph=graph, config=config) as sess:
            yield sess

    @contextlib.contextmanager
    def cached_session(
        self, graph: Graph | None = None, config: ConfigProto | None = None,
        use_gpu: bool = False, force_gpu: bool = False,
    ) -> Iterator[Session]:  # fmt: skip
        """The session of this test, the same for each use."""
        if self._session is None:
            self._session = Session(graph=graph or get_default_graph(), config=config)
        elif graph is not None and self._session.graph is not graph:
            raise ValueError(
                "The graph used to get the cached session is different than the one that was used "
                "to create the session."
            )
        with self._session.graph.as_default(), self._session.as_default():
            yield self._session

    def test_session(
        self, graph: Graph | None = None, config: ConfigProto | None = None,
        use_gpu: bool = False, force_gpu: bool = False,
    ) -> contextlib.AbstractContextManager[Session]:  # fmt: skip
        """`cached_session` for no arguments, else `session`."""
        if self._testMethodName == "test_session":
            self.skipTest("Not a test.")
        if graph is None and config is None:
            return self.cached_session(use_gpu=use_gpu, force_gpu=force_gpu)
        return self.session(graph, config, use_gpu, force_gpu)

    test_session.__test__ = False  # type: ignore[attr-defined]

    def evaluate(self, tensors: Any) -> Any:
        """The values of tensors in the default session."""
        sess = get_default_session()
        if sess is not None:
            return sess.run(tensors)
        with self.cached_session() as sess:
            return sess.run(tensors)

    def get_temp_dir(self) -> str:
        """A folder for this test."""
        if self._folder is None:
            self._folder = tempfile.mkdtemp(dir=get_temp_dir())
        return self._folder

    def checkedThread(
        self, target: Callable[..., Any], args: Any = None, kwargs: Any = None
    ) -> threading.Thread:
        """A thread; joining it fails the test if the target raised."""
        return _Thread(self, target, args, kwargs)

    @contextlib.contextmanager
    def captureWritesToStream(self, stream: Any) -> Iterator[Any]:
        """Collect what is written to a stream of the system; ``contents()`` gives it."""
        stream.flush()
        number, kept = stream.fileno(), os.dup(stream.fileno())
        with tempfile.NamedTemporaryFile(delete=True) as f:
            os.dup2(f.fileno(), number)

            class Captured:
                def contents(self) -> str:
                    stream.flush()
                    with open(f.name, "rb") as g:
                        return g.read().decode()

            try:
                yield Captured()
            finally:
                stream.flush()
                os.dup2(kept, number)
                os.close(kept)

    # ---- comparisons
    def _array(self, a: Any) -> Any:
        if hasattr(a, "graph") and hasattr(a, "dtype"):
            a = self.evaluate(a)
        if hasattr(a, "dense_shape"):
            return a
        return np.asarray(a)

    def assertAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        """Same shape and same elements (not-a-number is equal to itself)."""
        x, y = self._array(a), self._array(b)
        self.assertEqual(x.shape, y.shape, f"shapes {x.shape} and {y.shape} differ. {msg or ''}")
        same = x == y
        if x.dtype.kind in "fc" and y.dtype.kind in "fc":
            same = same | (np.isnan(x) & np.isnan(y))
        if not np.all(same):
            self.fail(_difference("not equal", x, y, ~np.asarray(same), msg))

    def assertNotAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        """Some element differs."""
        try:
            self.assertAllEqual(a, b)
        except AssertionError:
            return
        self.fail(f"The two values are equal at all elements. {msg or ''}")

    def assertAllClose(
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None
    ) -> None:
        """Elements within ``atol + rtol * abs(b)``; also of dicts and of lists of arrays."""
        if isinstance(a, Mapping) or isinstance(b, Mapping):
            self.assertEqual(set(a), set(b), msg)
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, f"{msg or ''}[{key!r}]")
            return
        if _nested(a) or _nested(b):
            self.assertEqual(len(a), len(b), msg)
            for i, (one, other) in enumerate(zip(a, b, strict=True)):
                self.assertAllClose(one, other, rtol, atol, f"{msg or ''}[{i}]")
            return
        x, y = self._array(a), self._array(b)
        self.assertEqual(x.shape, y.shape, f"shapes {x.shape} and {y.shape} differ. {msg or ''}")
        close = np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=True)
        if not np.all(close):
            what = f"not close (rtol={rtol}, atol={atol})"
            self.fail(_difference(what, x, y, ~np.asarray(close), msg))

    def assertNotAllClose(self, a: Any, b: Any, **kwargs: Any) -> None:
        """Some element is further away."""
        try:
            self.assertAllClose(a, b, **kwargs)
        except AssertionError:
            return
        self.fail("The two values are close at all elements")

    def assertAllCloseAccordingToType(
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, float_rtol: float = 1e-6,
        float_atol: float = 1e-6, half_rtol: float = 1e-3, half_atol: float = 1e-3,
        bfloat16_rtol: float = 1e-2, bfloat16_atol: float = 1e-2, msg: str | None = None,
    ) -> None:  # fmt: skip
        """`assertAllClose` with the tolerance of the coarser dtype."""
        x, y = self._array(a), self._array(b)
        widest = {
            "float32": (float_rtol, float_atol), "float16": (half_rtol, half_atol),
            "bfloat16": (bfloat16_rtol, bfloat16_atol),
        }  # fmt: skip
        for array in (x, y):
            r, t = widest.get(array.dtype.name, (rtol, atol))
            rtol, atol = max(rtol, r), max(atol, t)
        self.assertAllClose(x, y, rtol, atol, msg)

    def _all(self, a: Any, test: Callable[[Any], Any], what: str) -> None:
        x = self._array(a)
        if not np.all(test(x)):
            self.fail(f"not all elements {what}: {x[~np.asarray(test(x))][:10]}")

    def assertAllGreater(self, a: Any, comparison_target: Any) -> None:
        """Each element is greater."""
        self._all(a, lambda x: x > comparison_target, f"> {comparison_target}")

    def assertAllLess(self, a: Any, comparison_target: Any) -> None:
        """Each element is less."""
        self._all(a, lambda x: x < comparison_target, f"< {comparison_target}")

    def assertAllGreaterEqual(self, a: Any, comparison_target: Any) -> None:
        """Each element is greater or equal."""
        self._all(a, lambda x: x >= comparison_target, f">= {comparison_target}")

    def assertAllLessEqual(self, a: Any, comparison_target: Any) -> None:
        """Each element is less or equal."""
        self._all(a, lambda x: x <= comparison_target, f"<= {comparison_target}")

    def assertAllInRange(
        self, target: Any, lower_bound: Any, upper_bound: Any, open_lower_bound: bool = False,
        open_upper_bound: bool = False,
    ) -> None:  # fmt: skip
        """Each element is between two bounds."""

        def test(x: Any) -> Any:
            low = x > lower_bound if open_lower_bound else x >= lower_bound
            return low & (x < upper_bound if open_upper_bound else x <= upper_bound)

        self._all(target, test, f"between {lower_bound} and {upper_bound}")

    def assertAllInSet(self, target: Any, expected_set: Any) -> None:
        """Each element is one of a set."""
        self._all(target, lambda x: np.isin(x, list(expected_set)), f"in {expected_set}")

    def assertArrayNear(
        self, farray1: Any, farray2: Any, err: float, msg: str | None = None
    ) -> None:
        """Two sequences of numbers differ by at most `err` in each place."""
        self.assertEqual(len(farray1), len(farray2), msg)
        for one, other in zip(farray1, farray2, strict=True):
            self.assertNear(float(one), float(other), err, msg)

    def assertNDArrayNear(
        self, ndarray1: Any, ndarray2: Any, err: float, msg: str | None = None
    ) -> None:
        """The distance of two arrays is at most `err`."""
        far = np.linalg.norm(self._array(ndarray1) - self._array(ndarray2))
        self.assertTrue(far < err, msg or f"the arrays differ by {far}")

    def assertNear(self, f1: float, f2: float, err: float, msg: str | None = None) -> None:
        """Two numbers differ by at most `err`."""
        good = f1 == f2 or abs(f1 - f2) <= err
        self.assertTrue(good, f"{f1!r} != {f2!r} +/- {err!r}{f' ({msg})' if msg else ''}")

    def assertShapeEqual(self, np_array: Any, tf_tensor: Any, msg: str | None = None) -> None:
        """An array has the static shape of a tensor."""
        if not isinstance(np_array, (np.ndarray, np.generic)):
            raise TypeError("np_array must be a Numpy ndarray or Numpy scalar")
        self.assertEqual(list(np_array.shape), tf_tensor.get_shape().as_list(), msg)

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:
        """An array or tensor has a dtype."""
        self.assertEqual(self._array(target).dtype, expected_dtype)

    def assertDeviceEqual(self, device1: Any, device2: Any, msg: str | None = None) -> None:
        """Two names of devices are the same."""
        self.assertEqual(canonical_name(device1), canonical_name(device2), msg)

    def assertItemsEqual(self, first: Any, second: Any, msg: str | None = None) -> None:
        """Two collections have the same elements in some order."""
        self.assertCountEqual(first, second, msg)

    def assertStartsWith(self, actual: str, expected_start: str, msg: str | None = None) -> None:
        """A text begins with another."""
        if not actual.startswith(expected_start):
            self.fail(f"{actual!r} does not start with {expected_start!r}. {msg or ''}")

    def assertProtoEquals(
        self, expected_message_maybe_ascii: Any, message: Any, msg: str | None = None
    ) -> None:
        """Two messages are equal; the first may be text."""
        if isinstance(expected_message_maybe_ascii, (str, bytes)):
            import importlib

            expected = type(message)()
            parse = importlib.import_module("google.protobuf.text_format").Merge
            parse(expected_message_maybe_ascii, expected)
            expected_message_maybe_ascii = expected
        self.assertEqual(str(expected_message_maybe_ascii), str(message), msg)

    def assertProtoEqualsVersion(
        self, expected: Any, actual: Any, producer: int = 134, min_consumer: int = 0,
        msg: str | None = None,
    ) -> None:  # fmt: skip
        """`actual` is `expected`, a graph as text, with the versions."""
        versions = f"versions {{ producer: {producer} min_consumer: {min_consumer} }}"
        if not min_consumer:
            versions = f"versions {{ producer: {producer} }}"
        self.assertProtoEquals(f"{expected}\n{versions}", actual, msg)

    # ---- errors
    def assertRaisesRegexp(
        self, expected_exception: Any, expected_regex: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """`assertRaisesRegex`, as it was called."""
        return self.assertRaisesRegex(expected_exception, expected_regex, *args, **kwargs)

    def assertRaisesWithLiteralMatch(
        self, expected_exception: Any, expected_exception_message: str,
        callable_obj: Any = None, *args: Any, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """An exception with exactly this message; a context without `callable_obj`."""
        wanted = f"^{re.escape(expected_exception_message)}$"
        if callable_obj is None:
            return self.assertRaisesRegex(expected_exception, wanted)
        with self.assertRaisesRegex(expected_exception, wanted):
            callable_obj(*args, **kwargs)
        return None

    @contextlib.contextmanager
    def assertRaisesWithPredicateMatch(
        self, exception_type: Any, expected_err_re_or_predicate: Any
    ) -> Iterator[None]:
        """The block raises an error whose text matches, or for which a function is true."""
        wanted = expected_err_re_or_predicate
        try:
            yield
        except exception_type as e:
            text = e.message if isinstance(e, errors.OpError) else str(e)
            good = wanted(e) if callable(wanted) else re.search(wanted, text)
            if not good:
                raise AssertionError(f"Exception of type {type(e)}: {e}") from e
            return
        self.fail(f"{getattr(exception_type, '__name__', exception_type)} not raised")

    def assertRaisesOpError(self, expected_err_re_or_predicate: Any) -> Any:
        """The block raises an error of an op."""
        return self.assertRaisesWithPredicateMatch(errors.OpError, expected_err_re_or_predicate)


def _nested(a: Any) -> bool:
    """Whether `a` is a list of arrays of different shapes, or of dicts."""
    if not isinstance(a, (list, tuple)) or not a:
        return False
    if any(isinstance(v, (Mapping, list, tuple)) and _nested(v) for v in a):
        return True
    return len({np.shape(v) for v in a if not hasattr(v, "graph")}) > 1 or any(
        isinstance(v, Mapping) or hasattr(v, "graph") for v in a
    )


def _difference(what: str, x: Any, y: Any, wrong: Any, msg: str | None) -> str:
    places = np.argwhere(wrong)
    head = f"{len(places)} of {x.size} elements are {what}. {msg or ''}"
    rows = (f"  {p.tolist()}: {x[tuple(p)]!r} and {y[tuple(p)]!r}" for p in places[:8])
    return "\n".join([head, *rows])


class Benchmark:
    """A class of benchmarks; `run_op_benchmark` times an op."""

    @classmethod
    def is_abstract(cls) -> bool:
        """Whether it has no benchmark (a method ``benchmark…``)."""
        return not any(name.startswith("benchmark") for name in dir(cls))

    def evaluate(self, tensors: Any) -> Any:
        """Run tensors in a session of their graph, or in the default one."""
        from graphc.face.default_session import get_default_session
        from graphc.face.session import Session

        session = get_default_session()
        if session is not None:
            return session.run(tensors)
        with Session() as made:
            return made.run(tensors)

    def report_benchmark(
        self, iters: int | None = None, cpu_time: float | None = None,
        wall_time: float | None = None, throughput: float | None = None,
        extras: dict[str, Any] | None = None, name: str | None = None, metrics: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Print what was measured; times in seconds, `throughput` in MB a second."""
        given = dict(
            name=name or type(self).__name__, iters=iters, cpu_time=cpu_time, wall_time=wall_time,
            throughput=throughput, extras=extras, metrics=metrics,
        )  # fmt: skip
        found = {k: v for k, v in given.items() if v is not None}
        print(found)
        return found

    def run_op_benchmark(
        self, sess: Any, op_or_tensor: Any, feed_dict: Any = None, burn_iters: int = 2,
        min_iters: int = 10, store_trace: bool = False, store_memory_usage: bool = True,
        name: str | None = None, extras: Any = None, mbs: int = 0,
    ) -> dict[str, Any]:  # fmt: skip
        """Time runs of an op and print it.

        Parameters
        ----------
        mbs : int
            Megabytes that a run reads and writes, for the throughput.
        store_trace, store_memory_usage : bool
            Accepted: `Session.run` with `RunMetadata` has traces.
        """
        import time

        for _ in range(burn_iters):
            sess.run(op_or_tensor, feed_dict)
        times = []
        for _ in range(min_iters):
            start = time.perf_counter()
            sess.run(op_or_tensor, feed_dict)
            times.append(time.perf_counter() - start)
        wall = float(np.median(times))
        return self.report_benchmark(
            min_iters, None, wall, mbs / wall if mbs else None, extras, name
        )


class StubOutForTesting:
    """Puts things in the place of attributes and puts back what was there."""

    def __init__(self) -> None:
        self._kept: list[tuple[Any, str, Any]] = []

    def Set(self, parent: Any, child_name: str, new_child: Any) -> None:
        """Replace an attribute."""
        self._kept.append((parent, child_name, getattr(parent, child_name)))
        setattr(parent, child_name, new_child)

    def SmartSet(self, obj: Any, attr_name: str, new_attr: Any) -> None:
        """Replace an attribute."""
        self.Set(obj, attr_name, new_attr)

    def UnsetAll(self) -> None:
        """Put everything back."""
        while self._kept:
            setattr(*self._kept.pop())

    SmartUnsetAll = CleanUp = UnsetAll


# -------------------------------------------------------------------- checks of gradients


def compute_gradient(
    x: Any, x_shape: Any, y: Any, y_shape: Any, x_init_value: Any = None, delta: float = 1e-3,
    init_targets: Any = None, extra_feed_dict: Any = None,
) -> Any:  # fmt: skip
    """The Jacobian of `y` by `x`, by `gradients` and by central differences.

    Parameters
    ----------
    x, y : Tensor
        `x` may be a list; then `x_shape` and `x_init_value` are lists too.
    x_shape, y_shape : sequence of int
    x_init_value : array, optional
        Where; by default a random place.
    delta : float
        Step of the differences.
    init_targets, extra_feed_dict : optional
        To run first, and to feed besides `x`.

    Returns
    -------
    (array, array) or a list of such pairs
        Rows are the elements of `x`, columns those of `y`.
    """
    sess = get_default_session()
    if sess is None:
        raise ValueError("compute_gradient needs a default session (with sess.as_default(): …)")
    if init_targets is not None:
        for target in init_targets if isinstance(init_targets, (list, tuple)) else [init_targets]:
            sess.run(target)
    several = isinstance(x, list)
    xs, shapes = (x, x_shape) if several else ([x], [x_shape])
    inits = x_init_value if several and x_init_value is not None else [x_init_value] * len(xs)
    values = {}
    for one, shape, init in zip(xs, shapes, inits, strict=True):
        kind = one.dtype.as_numpy_dtype
        value = np.random.random_sample(shape) if init is None else np.asarray(init)
        values[one] = value.astype(kind)
    slope = np.ones(y_shape, y.dtype.as_numpy_dtype)
    weights = constant(slope)
    backward = gradients(y, xs, grad_ys=weights)
    more = dict(extra_feed_dict or {})
    pairs = [
        _jacobians(sess, one, y, g, weights, {**more, **values}, y_shape, delta)
        for one, g in zip(xs, backward, strict=True)
    ]
    return pairs if several else pairs[0]


def _jacobians(
    sess: Any, x: Any, y: Any, gradient: Any, weights: Any, feed: dict[Any, Any],
    y_shape: Any, delta: float,
) -> tuple[Any, Any]:  # fmt: skip
    start, columns = feed[x], int(np.prod(y_shape))
    exact = np.zeros((start.size, columns), start.dtype)
    for j in range(columns if gradient is not None else 0):
        one = np.zeros(columns, weights.dtype.as_numpy_dtype)
        one[j] = 1
        got = sess.run(gradient, {**feed, weights: one.reshape(y_shape)})
        if hasattr(got, "indices"):
            dense = np.zeros(start.shape, start.dtype)
            np.add.at(dense, got.indices, got.values)
            got = dense
        exact[:, j] = np.ravel(got)
    measured = np.zeros_like(exact)
    for i in range(start.size):
        ends = []
        for step in (delta, -delta):
            moved = start.copy()
            moved.reshape(-1)[i] += step
            ends.append(np.ravel(sess.run(y, {**feed, x: moved})).astype(start.dtype))
        measured[i] = (ends[0] - ends[1]) / (2 * delta)
    return exact, measured


def compute_gradient_error(
    x: Any, x_shape: Any, y: Any, y_shape: Any, x_init_value: Any = None, delta: float = 1e-3,
    init_targets: Any = None, extra_feed_dict: Any = None,
) -> float:  # fmt: skip
    """The largest difference between the two Jacobians of `compute_gradient`."""
    got = compute_gradient(
        x, x_shape, y, y_shape, x_init_value, delta, init_targets, extra_feed_dict
    )
    pairs = got if isinstance(got, list) else [got]
    return float(max(np.fabs(a - b).max() if a.size else 0.0 for a, b in pairs))
