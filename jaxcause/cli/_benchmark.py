"""``jaxcause benchmark``: the speed of the searches and of training on this machine."""

import argparse
import json
import math
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxcause._errors import InputError
from jaxcause.cli._output import complain, report, silent, table
from jaxcause.cli._parser import Commands, add_command, add_output, whole

NAMES = ("matmul", "pc", "batch", "caps", "icd", "training")


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "benchmark",
        _benchmark,
        brief="measure the searches and the training on this machine",
        description="Time the searches and the training of a forecaster on this machine's "
        "accelerator, on simulated data. The first call compiles and is reported separately; the "
        "other column is the minimum of several calls. `python -m benchmarks`, in the repository, "
        "compares with other libraries.",
        examples=(
            "jaxcause benchmark",
            "jaxcause benchmark --only pc,training --json > this.json",
            "jaxcause benchmark --against that.json",
        ),
    )
    add = command.add_argument
    add("--only", metavar="NAMES", help=f"a list with commas of {', '.join(NAMES)} (default: all)")
    add("--repeat", type=whole(1), default=3, help="number of timed calls (default: 3)")
    add(
        "--against",
        type=Path,
        metavar="JSON",
        help="compare with another machine: what this command wrote there with --json",
    )
    add_output(command)


def _benchmark(arguments: argparse.Namespace) -> int:
    names = NAMES if arguments.only is None else arguments.only.split(",")
    for name in names:
        if name not in NAMES:
            raise InputError(f"--only {name} is not known; choose from {', '.join(NAMES)}")
    others = {} if arguments.against is None else _rates(arguments.against)
    from jaxcause.cli._studies import STUDIES

    machine, rows = _machine(), []
    for name in names:
        if not silent(arguments):
            complain(f"measuring {name} …")
        work, call, amount, unit = STUDIES[name]()
        first, best = _timed(call, arguments.repeat)
        rows.append(
            {
                "name": name,
                "work": work,
                "first call": first,
                "seconds": best,
                "rate": amount / best,
                "unit": unit,
            }
        )
        if name in others:
            rows[-1]["ratio"] = rows[-1]["rate"] / others[name]
    document = {"command": "benchmark", "machine": machine, "rows": rows}
    report(arguments, _lines(machine, rows), document)
    return 0


def _rates(path: Path) -> dict[str, float]:
    """The rate of each kind of work in a document of this command."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        rates = {row["name"]: float(row["rate"]) for row in rows}
    except OSError as error:
        raise InputError(
            f"--against {path} cannot be read ({error.strerror}); check the path"
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        rates = {}
    if not rates or not all(0 < rate < math.inf for rate in rates.values()):
        raise InputError(
            f"--against {path} holds no rates; give a file that `jaxcause benchmark --json` wrote"
        )
    return rates


def _timed(call: Callable[[], Any], repeat: int) -> tuple[float, float]:
    """Seconds of the first call, and the minimum of the others."""
    seconds = []
    for _ in range(1 + repeat):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return seconds[0], min(seconds[1:])


def _machine() -> dict[str, Any]:
    import jax

    from jaxcause._version import version_of

    return {
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "jax": version_of("jax"),
        "jaxcause": version_of("jaxcause"),
    }


def _lines(machine: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[str]:
    yield ", ".join(f"{key} {value}" for key, value in machine.items())
    compared = any("ratio" in row for row in rows)
    header = ("work", "first call, s", "seconds", "rate", "", *["times the other rate"] * compared)
    cells = [
        (
            row["work"],
            f"{row['first call']:.2f}",
            f"{row['seconds']:.3g}",
            f"{row['rate']:.3g}",
            row["unit"],
            *[f"{row['ratio']:.3g}" if "ratio" in row else ""] * compared,
        )
        for row in rows
    ]
    yield from table(header, cells)
