"""The process that `timing.fresh` starts: it makes one call twice."""

import contextlib
import json
import sys
import time
from pathlib import Path

from benchmarks.core.apart import peak_mebibytes

BEGAN = time.perf_counter()
ONE_CALL_IS_ENOUGH = 120
"""After a first call of more than so many seconds, there is no second, warm call."""


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
    measured["before MiB"] = mebibytes_from_here()
    for name in ("first", "second"):
        if measured.get("first", 0) > ONE_CALL_IS_ENOUGH:
            break
        began = time.perf_counter()
        call()
        measured[name] = time.perf_counter() - began
        measured.setdefault("peak MiB", peak_mebibytes())
    return measured


def mebibytes_from_here() -> float:
    """Memory of this process now; also resets its peak if the system can do that."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_mebibytes()


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
