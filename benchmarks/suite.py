"""graphc against its peers: every workload in fresh processes, the backends taking turns.

    python -m graphc bench
    python -m graphc bench --workloads mlp_train,lenet_train --rounds 5 --threads 1
    python -m graphc bench --backends graphc,jax,torch --python jax=venv/bin/python
    python -m graphc bench --profile --workloads mlp_train

A backend runs where its package is installed: in this interpreter, or in the one given with
--python. Printed is a table of medians (of the rounds' medians), with the ratio of the best peer
to graphc and the share of the time that the machine's limits explain. Results are appended to a
history; with matplotlib a roofline is drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends import BACKENDS, FORWARD, PACKAGES, names
from workloads import WORKLOADS

from graphc.see.machine import Machine, cpu_name, measure

HERE = Path(__file__).resolve().parent
TRAINING = [n for n, w in WORKLOADS.items() if w.kind == "train"]
Results = dict[str, dict[str, list[dict[str, Any]]]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suite; 1 when graphc failed somewhere or computed other numbers, else 0."""
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("graphc bench", description=__doc__, formatter_class=style)
    parser.add_argument("--workloads", default="all", help="names with commas, 'train' or 'all'")
    parser.add_argument("--backends", default=",".join(BACKENDS), help="names with commas")
    parser.add_argument("--python", action="append", default=[], metavar="BACKEND=PATH",
                        help="the interpreter that has a backend's package")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3, metavar="N",
                        help="processes for each workload and backend (default: 3)")  # fmt: skip
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="threads that each backend may use (default: all cores)")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=1.0, help="timed seconds in a process")
    parser.add_argument("--history", type=Path, default=HERE / "out" / "history.jsonl",
                        help="the file that results are appended to")  # fmt: skip
    parser.add_argument("--picture", type=Path, default=HERE / "out" / "roofline.png",
                        help="the file that the roofline is drawn into")  # fmt: skip
    parser.add_argument("--profile", action="store_true",
                        help="show instead where graphc's time goes, step by step")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="name the workloads and stop")
    args = parser.parse_args(argv)
    if args.list:
        print("\n".join(f"{n:20} {w.kind}" for n, w in WORKLOADS.items()))
        return 0
    for option in ("rounds", "threads", "seconds"):
        if getattr(args, option) <= 0:
            parser.error(f"--{option} takes a number above 0, not {getattr(args, option)}")
    for path in (args.history, args.picture):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(path if path.exists() else path.parent, os.W_OK) or path.is_dir():
                raise PermissionError("it cannot be written to")
        except OSError as e:
            parser.error(f"{path}: {e.strerror or e}")
    try:
        wanted = chosen(args.workloads)
        if args.profile:
            return profile(wanted, args.threads)
        pythons = interpreters(names(args.backends.split(",")), args.python)
    except ValueError as e:
        parser.error(str(e))
    results = run(wanted, pythons, args)
    machine = measure(args.threads)
    print(table(results, machine, args.threads))
    keep(args.history, results, machine, args)
    if draw(args.picture, results, machine, args.threads):
        print(f"roofline: {args.picture}")
    return int(wrong(results))


def profile(wanted: Sequence[str], threads: int) -> int:
    """Print what each step of graphc's runs takes, and its share of what the machine can do."""
    import graphc
    from graphc.see.profile import profile_run, table

    machine = measure(threads)
    for name in wanted:
        with graphc.Graph().as_default():
            session, fetches, feed = BACKENDS["graphc"](threads).session(WORKLOADS[name])
            steps = profile_run(session, fetches, feed)
            session.close()
        print(f"{name}, {threads} thread{'s' * (threads > 1)}")
        print(table(steps, peak=(machine.flops, machine.bytes)), end="\n\n")
    return 0


def chosen(text: str) -> list[str]:
    """The workloads that `text` names."""
    if text in ("all", "train"):
        return list(WORKLOADS) if text == "all" else TRAINING
    found = text.split(",")
    for n in found:
        if n not in WORKLOADS:
            raise ValueError(f"unknown workload {n!r}; there are {', '.join(WORKLOADS)}")
    return found


def interpreters(backends: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """The interpreter of each backend whose package it can import."""
    asked = {}
    for item in given:
        name, eq, path = item.partition("=")
        if name not in BACKENDS or not eq:
            raise ValueError(f"--python wants BACKEND=PATH, got {item!r}")
        if shutil.which(path) is None:
            raise ValueError(f"--python {item}: there is no such program")
        asked[name] = path
    out = {}
    for b in backends:
        python = asked.get(b, sys.executable)
        code = f"from importlib.util import find_spec as f; exit(f({PACKAGES[b]!r}) is None)"
        if subprocess.run([python, "-c", code], check=False, env=environment(b, 1)).returncode == 0:
            out[b] = python
        elif b in asked:
            raise ValueError(f"{python} cannot import {PACKAGES[b]}")
        else:
            print(f"{b}: not installed here, left out (--python {b}=…)")
    return out


def environment(backend: str, threads: int) -> dict[str, str]:
    """The environment of a process: its threads, and for graphc where it is."""
    env = dict(os.environ)
    env |= dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)
    )
    if backend == "graphc":
        env["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), env.get("PYTHONPATH", "")])
    return env


def run(wanted: Sequence[str], pythons: dict[str, str], args: Any) -> Results:
    """All rounds: the backends take turns, each time in a fresh process."""
    results: Results = {w: {b: [] for b in pythons} for w in wanted}
    for w in wanted:
        for k in range(args.rounds):
            for b, python in pythons.items():
                if b in FORWARD and WORKLOADS[w].kind == "train":
                    continue
                began = time.perf_counter()
                found = once(python, b, w, args)
                results[w][b].append(found)
                said = found.get("error") or f"{shown(found['median'])}, min {shown(found['min'])}"
                spent = time.perf_counter() - began
                print(f"{w:20} round {k + 1}  {b:14} {said}  ({spent:.0f} s)", flush=True)
    return results


def once(python: str, backend: str, workload: str, args: Any) -> dict[str, Any]:
    """What one process measured, or why it did not."""
    command = [python, str(HERE / "measure.py"), backend, workload]
    command += ["--threads", str(args.threads), "--seconds", str(args.seconds)]
    pin: Any = None
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))[: args.threads]

        def pin() -> None:
            os.sched_setaffinity(0, cpus)

    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, preexec_fn=pin, timeout=600,
            env=environment(backend, args.threads),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": "no result within 600 s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1]}
    return dict(json.loads(lines[-1]))


# ------------------------------------------------------------------------- what is printed


def shown(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def medians(results: Results, workload: str) -> dict[str, float]:
    """The median of the rounds' medians of each backend that has any."""
    out = {}
    for b, rounds in results[workload].items():
        times = [r["median"] for r in rounds if "median" in r]
        if times:
            out[b] = statistics.median(times)
    return out


def table(results: Results, machine: Machine, threads: int) -> str:
    """The table in Markdown."""
    backends = list(dict.fromkeys(b for w in results for b in results[w]))
    peers = [b for b in backends if b != "graphc"]
    head = ["workload", *backends, *(["best peer / graphc"] if peers else []), "floor / graphc"]
    rows = [head, ["---"] * len(head)]
    for w in results:
        found = medians(results, w)
        own, best = found.get("graphc"), min((found[p] for p in peers if p in found), default=None)
        row = [f"`{w}`", *[shown(found[b]) if b in found else "–" for b in backends]]
        if peers:
            row.append(f"{best / own:.2f}" if own and best else "–")
        floor = machine.floor(*WORKLOADS[w].work)
        row.append(f"{floor / own:.2f}" if own and floor > 1e-6 else "–")
        rows.append(row)
    limits = f"{machine.flops / 1e9:.0f} GFLOP/s, {machine.bytes / 1e9:.0f} GB/s copied"
    title = f"{cpu_name()}, {threads} thread{'s' * (threads > 1)}: {limits}\n"
    return "\n".join([title, *["| " + " | ".join(r) + " |" for r in rows]])


def wrong(results: Results) -> bool:
    """Whether graphc failed or its first result is not that of the others (1e-3, relative)."""
    bad = False
    for w, by_backend in results.items():
        rounds = by_backend.get("graphc", [])
        for r in rounds:
            if "error" in r:
                print(f"{w}: graphc failed: {r['error']}")
                bad = True
        own = [r["check"] for r in rounds if "check" in r]
        for b, others in by_backend.items():
            for r in others:
                if own and "check" in r and abs(r["check"] - own[0]) > 1e-3 * abs(own[0]):
                    print(f"{w}: graphc gave {own[0]:.7g}, {b} {r['check']:.7g}")
                    bad = True
    return bad


def keep(path: Path, results: Results, machine: Machine, args: Any) -> None:
    """Append the medians to the history, a line of JSON a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpu": cpu_name(),
        "threads": args.threads, "rounds": args.rounds, "machine": machine._asdict(),
        "medians": {w: medians(results, w) for w in results},
    }  # fmt: skip
    with path.open("a") as f:
        f.write(json.dumps(line) + "\n")


def draw(path: Path, results: Results, machine: Machine, threads: int) -> bool:
    """The roofline: attained against attainable rate over flops per byte, where both count."""
    try:
        import matplotlib
    except ImportError:
        print("no picture: matplotlib is not installed (pip install 'graphc[bench]')")
        return False
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(figsize=(9, 6))
    knee = machine.flops / machine.bytes
    x = np.geomspace(knee / 100, knee * 100, 200)
    axes.loglog(x, np.minimum(machine.flops, x * machine.bytes) / 1e9, color="black")
    markers = dict(zip(BACKENDS, "os^vDP", strict=False))
    for w in results:
        work = WORKLOADS[w].work
        if not work.flops or not work.bytes:
            continue
        for b, seconds in medians(results, w).items():
            at = work.flops / work.bytes
            axes.loglog(
                at, work.flops / seconds / 1e9, markers[b], color="C0" if b == "graphc" else "C7"
            )
            if b == "graphc":
                axes.annotate(w, (at, work.flops / seconds / 1e9), fontsize=8, xytext=(4, 4),
                              textcoords="offset points")  # fmt: skip
    for b in dict.fromkeys(b for w in results for b in results[w]):
        axes.plot([], [], markers[b], color="C0" if b == "graphc" else "C7", label=b)
    axes.set(xlabel="flops per byte that must move", ylabel="GFLOP/s",
             title=f"{cpu_name()}, {threads} threads")  # fmt: skip
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
    return True


if __name__ == "__main__":
    sys.exit(main())
