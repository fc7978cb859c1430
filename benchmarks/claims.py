"""The claims of the paper as curves: F1 against rows, regimes, functions and the longest lag.

Each point is one system of `jaxcause.simulate.lagged_system` with 10 variables and three parents
each. ``content`` is the paper's attention over values, ``default`` what `jaxcause.discover` does.
"""

import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.core.timing import say
from benchmarks.lagged.case import Case
from benchmarks.lagged.figures import figures
from benchmarks.lagged.methods import METHODS
from jaxcause import simulate

N_VARS, ROWS, MAX_LAG = 10, 5_000, 5
SEEDS = {"var": 3, "pcmci": 3, "default": 3, "content": 1}
"""Systems of each point by method."""

BENT = {"function": "pl+m"}
PLAIN = "gradient_energy"
"""What is read from the paper's attention, where the default would also ask a linear model."""
CLAIMS: dict[str, dict[Any, dict[str, Any]]] = {
    "rows": {n: BENT | {"n_steps": n} for n in (500, 1_000, 2_000, 5_000, 20_000)},
    "regimes": {n: {"n_domains": n, "n_steps": 10_000} for n in (1, 2, 5, 10)},
    "function": {
        name: {"function": name} for name in ("linear", "monotonic", "pl+m", "mlp_additive")
    },
    "longest lag": {n: BENT | {"max_lag": n} for n in (2, 5, 10, 20)},
}
"""What is varied, its values, and the systems; the rest is as above."""


def run(out: Path, *, quick: bool = False) -> list[dict]:
    """A row for each point and method, means over the systems; draws them in ``claims.png``."""
    rows = [
        _row(claim, value, options, method, 1 if quick else n_seeds)
        for method, n_seeds in SEEDS.items()
        for claim, points in CLAIMS.items()
        for value, options in points.items()
        if not (quick and method == "content")
    ]
    out.mkdir(parents=True, exist_ok=True)
    draw(rows, out / "claims.png")
    return rows


def _row(claim: str, value: Any, options: dict, method: str, n_seeds: int) -> dict:
    """The row of one method at one point."""
    found = []
    for seed in range(n_seeds):
        case = _case(options, seed)
        began = time.perf_counter()
        answers = METHODS[method].run(case, seed)
        answer = next((a for a in answers if a.name.endswith(PLAIN)), answers[0])
        found.append(figures(answer, case) | {"seconds": time.perf_counter() - began})
    names = ("F1@3", "AUROC", "F1 q=0.1", "FDP q=0.1", "seconds")
    means = {name: float(np.mean([one[name] for one in found])) for name in names}
    row = {"claim": claim, "value": value, "method": method, "systems": n_seeds} | means
    say(str(row))
    return row


def _case(options: dict[str, Any], seed: int) -> Case:
    sizes = {"n_vars": N_VARS, "max_lag": MAX_LAG, "n_steps": ROWS, "n_parents": 3}
    made = simulate.lagged_system(jax.random.key(100 + seed), **(sizes | options))
    max_lag = options.get("max_lag", MAX_LAG)
    return Case(np.asarray(made.series), made.truth, max_lag)


def draw(rows: list[dict], path: Path) -> None:
    """F1 at q = .1 of every method along what is varied, one panel for each claim."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.8), layout="constrained")
    panels = figure.subplots(1, len(CLAIMS), sharey=True)
    styles = {"default": "o-", "content": "s--", "var": "^:", "pcmci": "v-."}
    for panel, claim in zip(panels, CLAIMS, strict=True):
        for method, style in styles.items():
            points = [r for r in rows if r["claim"] == claim and r["method"] == method]
            labels = [str(r["value"]) for r in points]
            panel.plot(labels, [r["F1 q=0.1"] for r in points], style, label=method, ms=4)
        panel.set_xlabel(claim)
        panel.tick_params(axis="x", labelrotation=30 if claim == "function" else 0, labelsize=8)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("F1 at q = 0.1")
    panels[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
