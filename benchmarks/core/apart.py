"""A function of a benchmark in a process of its own, so that its memory and its clock are its own.

The benchmark's module ends in ``answer({"name": function, ...})`` where it is run as a program.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

MARK = "RESULT "
"""Begins the line that holds the result."""


def apart(module: str, what: str, given: Sequence[Any]) -> Any:
    """The result of a function of a module in a new process, with no cache of programs.

    Raises:
        RuntimeError: The process gave no result; with what it complained of.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, what, json.dumps(given)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"JAXCAUSE_CACHE": "off"},
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if line is None:
        raise RuntimeError(done.stderr)
    print(line, flush=True)
    return json.loads(line.removeprefix(MARK))


def answer(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Call the function that the command line names, and print its result."""
    result = functions[sys.argv[1]](*json.loads(sys.argv[2]))
    print(MARK + json.dumps(result, default=float), flush=True)


def peak_mebibytes() -> float:
    """The most memory that this process held."""
    # The value of getrusage includes the memory of the parent when it started this process.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
