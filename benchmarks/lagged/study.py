"""The list of runs, running those that are missing, and collecting the results."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from benchmarks.lagged import settings
from benchmarks.lagged.methods import why_not
from benchmarks.lagged.worker import MARK, work


class Run(NamedTuple):
    """One method on one series."""

    setting: str
    seed: int
    method: str


class Limits(NamedTuple):
    """Limits in seconds: wall clock and processor time of a run, and the start of the last run."""

    wall: float = 3600.0
    cpu: float | None = None
    budget: float | None = None
    in_process: bool = False

    def of_a_run(self) -> dict[str, float | None]:
        """The note that a stopped run leaves in the file."""
        return {"wall": self.wall, "cpu": self.cpu}

    def no_higher(self, line: dict) -> bool:
        """Whether a stopped run would be stopped again."""
        cpu = line["cpu"] is None or (self.cpu is not None and self.cpu <= line["cpu"])
        return self.wall <= line["wall"] and cpu


def runs(
    names: Iterable[str], methods: Iterable[str], seeds: tuple[int, ...], preset: str
) -> list[Run]:
    """All runs, the first seed of everything first."""
    wanted = [
        Run(name, seed, method)
        for name in names
        for seed in settings.seeds_of(name, preset, seeds)
        for method in methods
    ]
    return sorted(wanted, key=lambda run: run.seed)


def read(path: Path) -> list[dict]:
    """The lines of a file, without an incomplete last line."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def done(lines: list[dict], limits: Limits) -> set[Run]:
    """Runs that need not be repeated: finished, or stopped at limits no lower than these."""
    return {
        Run(line["setting"], line["seed"], line["method"])
        for line in lines
        if "answer" in line or ("wall" in line and limits.no_higher(line))
    }


def execute(
    wanted: list[Run], path: Path, limits: Limits, *, preset: str, data: Path | None
) -> None:
    """Run what is missing, one run at a time, and append each to the file when it is finished.

    Args:
        wanted: Runs.
        path: File of JSON lines.
        limits: How long a run, and all of them, may take.
        preset: ``reduced`` or ``full``.
        data: Folder of the published series.
    """
    began = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n"):
        with path.open("a") as file:
            file.write("\n")
    finished = done(read(path), limits)
    left = [run for run in wanted if run not in finished]
    bar = tqdm(left, unit="run", disable=None)
    for run in bar:
        if limits.budget is not None and time.monotonic() - began > limits.budget:
            bar.write(f"stopped after {limits.budget:g} s; start again to go on")
            break
        bar.set_description(f"{run.setting} / {run.method} / seed {run.seed}")
        lines = one(run, limits, preset=preset, data=data, cache=path.parent / "cache")
        with path.open("a") as file:
            file.writelines(
                json.dumps(run._asdict() | line, default=float) + "\n" for line in lines
            )


def one(
    run: Run, limits: Limits, *, preset: str, data: Path | None, cache: Path | None = None
) -> list[dict]:
    """The lines of a run, or one line that says why there are none."""
    n_vars, max_lag, _ = settings.sizes(run.setting, preset)
    regimes = run.setting.startswith("domains=")
    reason = why_not(run.method, n_inputs=n_vars * max_lag, regimes=regimes)
    if reason is not None:
        return [{"skipped": reason}]
    asked = run._asdict() | {"preset": preset, "data": str(data) if data else None}
    if limits.in_process:
        try:
            return work(asked | {"memory": False})
        except Exception as error:
            return [{"failed": f"{type(error).__name__}: {error}"}]
    return _in_own_process(asked, limits, cache)


def _in_own_process(asked: dict, limits: Limits, cache: Path | None) -> list[dict]:
    environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if cache is not None:
        environment.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.lagged.worker", json.dumps(asked | limits.of_a_run())],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said, complaint = process.communicate(timeout=limits.wall)
    except subprocess.TimeoutExpired:
        return [{"skipped": f"stopped after {limits.wall:g} s"} | limits.of_a_run()]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    results = [line for line in said.splitlines() if line.startswith(MARK)]
    if results:
        return json.loads(results[-1][len(MARK) :])
    if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL) and limits.cpu is not None:
        return [{"skipped": f"stopped after {limits.cpu:g} CPU s"} | limits.of_a_run()]
    return [{"failed": (complaint.strip().splitlines() or [f"exit {process.returncode}"])[-1]}]


def latest(lines: list[dict]) -> Iterator[dict]:
    """The latest line of each answer; a skipped run counts only if there is no answer."""
    found: dict[tuple, dict] = {}
    for line in lines:
        key = line["setting"], line["seed"], line["method"]
        if "answer" in line:
            found.pop((*key, None), None)
            found[(*key, line["answer"])] = line
        elif not any(k[:3] == key and k[3] for k in found):
            found[(*key, None)] = line
    yield from found.values()
