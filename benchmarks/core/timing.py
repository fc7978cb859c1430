"""Clocks: the best of several calls here, or the first call of a fresh process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def say(text: str) -> None:
    """Progress, separate from the results."""
    print(text, file=sys.stderr, flush=True)


def seconds_of(call: Callable[[], Any]) -> tuple[float, Any]:
    """How long one call takes, and what it returns."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def best_of(call: Callable[[], Any], *, repeat: int = 9, budget: float = 20.0) -> float:
    """Least seconds of several calls; a slow call is repeated less often, but at least once."""
    times = [seconds_of(call)[0]]
    while len(times) < 2 or (len(times) < repeat and sum(times) < budget):
        times.append(seconds_of(call)[0])
    return min(times)


def fresh(problem: str, *, warmup: bool = False, cache: Path | None = None, **sizes: Any) -> dict:
    """Make a call of `searches.CALLS` twice in a new process; see `benchmarks.core.__main__`.

    Args:
        problem: Name of the call.
        warmup: Call ``jc.warmup()`` before.
        cache: Folder of the persistent compilation cache; none by default.
        sizes: Arguments of the call.
    """
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    if cache is not None:
        environment |= {
            "JAX_COMPILATION_CACHE_DIR": str(cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    task = json.dumps({"problem": problem, "warmup": warmup, "sizes": sizes})
    say(f"  new process: {task}")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.core", task],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
