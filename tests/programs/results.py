"""Results of programs as JSON, the same under TensorFlow 1.15 and graphc; runs on Python 3.7 too."""

import numpy as np

__all__ = ["compare", "plain"]


def plain(value):
    """A result as JSON: arrays as nested lists, floats with seven digits."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    number = float(value)
    return float("%.7g" % number) if np.isfinite(number) else str(number)


def compare(got, want, tolerance, where=""):
    """Differences between two results, as lines of text."""
    if isinstance(want, dict):
        if not isinstance(got, dict) or set(got) != set(want):
            return ["%s: keys %s, not %s" % (where, sorted(got), sorted(want))]
        return [d for k in want for d in compare(got[k], want[k], tolerance, where + "." + k)]
    if isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            return ["%s: %s, not %s" % (where, str(got)[:200], str(want)[:200])]
        pairs = enumerate(zip(got, want))
        return [d for i, (g, w) in pairs for d in compare(g, w, tolerance, "%s[%d]" % (where, i))]
    if isinstance(want, float) and isinstance(got, (int, float)) and not isinstance(got, bool):
        good = abs(got - want) <= tolerance * max(1.0, abs(want))
        return [] if good else ["%s: %r, not %r" % (where, got, want)]
    return [] if got == want else ["%s: %r, not %r" % (where, got, want)]
