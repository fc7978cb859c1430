"""What `timing.fresh` starts: one call, first and second, in a process of its own."""

import contextlib
import json
import resource
import sys
import time
from pathlib import Path

BEGAN = time.perf_counter()
ONE_CALL_IS_ENOUGH = 120
"""Seconds of a first call after which none is made that is warm."""


def main(task: dict) -> dict:
    import jax
    import numpy as np

    import jaxcause as jc
    from benchmarks.core.searches import CALLS

    jax.devices()
    measured = {"imports": time.perf_counter() - BEGAN}
    if task["warmup"]:
        began = time.perf_counter()
        jc.warmup(dtype=np.dtype(task["sizes"]["precision"]))
        measured["warmup"] = time.perf_counter() - began
    began = time.perf_counter()
    call = CALLS[task["problem"]](**task["sizes"])
    measured["set up"] = time.perf_counter() - began
    measured["before MB"] = megabytes_from_here()
    for name in ("first", "second"):
        if measured.get("first", 0) > ONE_CALL_IS_ENOUGH:
            break
        began = time.perf_counter()
        call()
        measured[name] = time.perf_counter() - began
        measured.setdefault("peak MB", peak_megabytes())
    return measured


def megabytes_from_here() -> float:
    """What this process holds now, and let its peak begin anew where the system can do that."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_megabytes()


def peak_megabytes() -> float:
    """Most memory that this process has held."""
    # What getrusage says also counts what the parent held when it started this process.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
