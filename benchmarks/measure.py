"""One process of the suite: one backend, one workload; prints a line of JSON.

python benchmarks/measure.py graphc mlp_train --threads 2 --seconds 1
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time

import numpy as np
from backends import BACKENDS
from workloads import WORKLOADS


def main() -> None:
    """Build, run for the first time, warm up, then time each call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("backend", choices=BACKENDS)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    w = WORKLOADS[args.workload]
    backend = BACKENDS[args.backend](args.threads)
    began = time.perf_counter()
    call = backend.run(w)
    first = call()
    ready = time.perf_counter() - began
    check = float(np.abs(np.asarray(first, np.float64)).mean())
    until = time.perf_counter() + args.seconds / 3
    while time.perf_counter() < until:
        call()
    times = []
    until = time.perf_counter() + args.seconds
    while time.perf_counter() < until or len(times) < 3:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps({
        "median": statistics.median(times), "min": min(times), "calls": len(times),
        "first": ready, "check": check, "peak": peak, "version": backend.version,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
