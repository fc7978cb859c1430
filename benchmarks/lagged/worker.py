"""One run in a process of its own: ``python -m benchmarks.lagged.worker '{"setting": …}'``.

A process of its own can be stopped at the time limit, and its peak memory is the run's.
"""

import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax

from benchmarks.lagged import settings
from benchmarks.lagged.figures import figures
from benchmarks.lagged.methods import METHODS, NotAvailable

MARK = "RESULT "


def work(asked: dict) -> list[dict]:
    """One line per answer of a method for a setting and a seed."""
    data = Path(asked["data"]) if asked["data"] else None
    case = settings.load(asked["setting"], asked["preset"], asked["seed"], data)
    began, began_cpu = time.perf_counter(), time.process_time()
    try:
        answers = METHODS[asked["method"]].run(case, asked["seed"])
    except NotAvailable as reason:
        return [{"skipped": str(reason)}]
    spent = {
        "seconds": time.perf_counter() - began,
        "CPU s": time.process_time() - began_cpu,
    }
    if asked.get("memory", True):
        spent["MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stats = jax.devices()[0].memory_stats() or {}
    if stats:
        spent["device MiB"] = stats["peak_bytes_in_use"] / 2**20
    return [
        {"answer": answer.name} | figures(answer, case) | spent | answer.notes for answer in answers
    ]


def main() -> None:
    warnings.simplefilter("ignore")
    asked = json.loads(sys.argv[1])
    if asked.get("cpu") is not None:
        limit = int(asked["cpu"])
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    print(MARK + json.dumps(work(asked), default=float), flush=True)


if __name__ == "__main__":
    main()
