"""Fresh processes: with an empty compilation cache, with a filled one, and peers beside them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.core.timing import ROOT, say
from benchmarks.first.worker import MARK

IMPORTS = [
    ("import jax, flax, optax", ["imports", "jax", "flax.nnx", "optax"]),
    ("import jaxcause", ["imports", "jaxcause"]),
]
SEARCHES = [
    *((f"jc.pc, {n} variables from data", ["pc", n]) for n in (20, 200, 1000)),
    ("jc.icd, 12 heads of 20 tokens", ["icd", 12, 20]),
    ("select_fdr, 10 variables, 5 lags", ["select_fdr", 10, 5]),
]
METHODS = ("var", "lasso", "pc", "pcmci", "pcmci+", "gradient")
DISCOVER = [
    (f"discover, {method}, {n_steps:,} × {n_vars}", ["discover", n_steps, n_vars, method])
    for n_steps, n_vars in ((1000, 5), (50_000, 10))
    for method in METHODS
]
LARGE = [("discover, pcmci, 1,000 × 50", ["discover", 1000, 50, "pcmci"])]
EXPLAIN = [("jc.explain, one sentence", ["explain"])]
COMMANDS = [
    ("jaxcause discover, 1,000 × 5", ["command", "discover", "SERIES:1000:5"]),
    (
        "jaxcause discover --method var, 1,000 × 5",
        ["command", "discover", "SERIES:1000:5", "--method", "var"],
    ),
    (
        "jaxcause explain",
        ["command", "explain", "--model", "ENCODER", "--text", "A long and rather dull film."],
    ),
]
PEERS = [
    *((f"Andrey: pc, {n} variables from data", ["andrey_pc", n]) for n in (20, 200, 1000)),
    ("causal-learn: pc, 20 variables from data", ["causal_learn_pc", 20]),
    ("Andrey: pcmci, 1,000 × 10", ["andrey_pcmci", 1000, 10]),
    ("Andrey: pcmci, 1,000 × 50", ["andrey_pcmci", 1000, 50]),
    ("tigramite: pcmci, 1,000 × 10", ["tigramite_pcmci", 1000, 10]),
]
ONCE = ("gradient", "explain", "command")
"""Cases that are not called again in the same process."""


def run(data: Path | None, *, quick: bool = False, only: str = "") -> list[dict]:
    """One row per call; ``only`` names words that the titles must hold, separated by commas."""
    cases = [*IMPORTS, *SEARCHES, *DISCOVER, *LARGE, *EXPLAIN, *COMMANDS, *PEERS]
    if data is not None:
        rivers = str(data / "rivers" / "rivers.csv")
        cases.append(("jaxcause discover rivers.csv", ["command", "discover", rivers]))
    words = [word.strip() for word in only.split(",") if word.strip()]
    rows = []
    for title, case in cases:
        if words and not any(word in title for word in words):
            continue
        if quick and ("50_000" in title or "50,000" in title):
            continue
        rows.append({"call": title} | measured(case))
        say(json.dumps(rows[-1]))
    return rows


def measured(case: list, *, processes: int = 3) -> dict:
    """The least of several processes with an empty cache, and one with a filled cache."""
    tries = [fresh(case)]
    if "skipped" in tries[0]:
        return tries[0]
    while len(tries) < processes and tries[0]["whole process s"] < 20:
        tries.append(fresh(case))
    told = min(tries, key=lambda one: one["first s"])
    if not any(str(part) in ONCE for part in case):
        told["warm s"] = fresh(case, repeats=20)["warm s"]
    if told["programs"]:
        with tempfile.TemporaryDirectory() as cache:
            fresh(case, cache=cache)
            told["first s, filled cache"] = fresh(case, cache=cache)["first s"]
    return told


def fresh(case: list, *, repeats: int = 0, cache: str | None = None) -> dict:
    """Run one case in a process of its own; without ``cache`` the compilation cache is empty."""
    with tempfile.TemporaryDirectory() as empty:
        environment = os.environ | {
            "XDG_CACHE_HOME": cache or empty,
        }
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        if cache is not None:
            environment |= {
                "JAX_COMPILATION_CACHE_DIR": cache,
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            }
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.first.worker", json.dumps(case), str(repeats)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        whole = time.perf_counter() - began
    told = json.loads(done.stdout.split(MARK)[-1])
    return told if "skipped" in told else told | {"whole process s": whole}
