"""Gradient against intervention: readouts beside the true effects of simulated systems.

The true effect of an input is what setting it to other values of its own does to the forecast of
the mechanism that made the series: half the mean squared change. Forecasters are that mechanism,
which shows what a readout measures, and trained ones. All scores are compared as roots; the size
is the median over true edges of score over truth, and is left out for readouts of another unit.
"""

from collections.abc import Iterator
from functools import partial

import jax
import numpy as np
import scipy.stats

from benchmarks.core.timing import say
from benchmarks.mechanisms import SYSTEMS, draw_system, excess_error, judged, train, true_effects
from jaxcause import attribution
from jaxcause.models.forecaster import attention, predictor
from jaxcause.nn import ATTN_LRP, CP_LRP

FORECASTERS = {"content": 1000, "positional": 1000}
"""Steps of training."""
N_KEYS = 3
UNITLESS = ("input × gradient", "AttnLRP", "CP-LRP", "rollout")


def run(*, quick: bool = False) -> list[dict]:
    """Rows of all systems, forecasters and readouts, each a mean over keys, and of all systems."""
    rows: list[dict] = []
    for name in SYSTEMS:
        cases = [found for seed in range(1 if quick else N_KEYS) for found in _case(name, seed)]
        for forecaster, readout in dict.fromkeys(case[:2] for case in cases):
            of_it = [case[2] for case in cases if case[:2] == (forecaster, readout)]
            row = {"system": name, "forecaster": forecaster, "readout": readout}
            row |= {k: float(np.mean([one[k] for one in of_it])) for k in of_it[0]}
            if readout in UNITLESS:
                row["size"] = ""
            rows.append(row | {"keys": len(of_it)})
            say(str(rows[-1]))
    return rows + list(over_systems(rows))


def over_systems(rows: list[dict]) -> Iterator[dict]:
    """Means over the systems with their 95 % intervals, and F1 less that of the gradient energy."""
    for forecaster, readout in dict.fromkeys((r["forecaster"], r["readout"]) for r in rows):
        of_it = [r for r in rows if (r["forecaster"], r["readout"]) == (forecaster, readout)]
        plain = {
            r["system"]: r["F1"]
            for r in rows
            if (r["forecaster"], r["readout"]) == (forecaster, "gradient energy")
        }
        row = {"system": f"all {len(of_it)}", "forecaster": forecaster, "readout": readout}
        for figure in ("AUROC", "F1", "rank correlation"):
            row |= _interval(figure, [r[figure] for r in of_it])
        if readout != "gradient energy":
            row |= _interval("F1 gained", [r["F1"] - plain[r["system"]] for r in of_it])
        yield row | {"keys": sum(r["keys"] for r in of_it)}


def _interval(figure: str, values: list[float]) -> dict:
    """The mean of a figure, and the interval of Student's t; systems are the units."""
    mean, n = float(np.mean(values)), len(values)
    half = float(scipy.stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return {figure: mean, f"{figure}, 95 %": f"{mean - half:.2f} to {mean + half:.2f}"}


def _case(name: str, seed: int) -> Iterator[tuple[str, str, dict]]:
    system = draw_system(name, seed)
    truth = true_effects(system)
    readers = {"the mechanism": (system.mechanism, _of_any(system.mechanism, system.windows, seed))}
    for model, n_steps in FORECASTERS.items():
        found = train(system, "base" if model == "positional" else model, n_steps, seed)
        config, params = found.forecaster.config, found.forecaster.params
        forecast, windows = predictor(config, params), system.windows
        readers[model] = (forecast, _of_any(forecast, windows, seed))
        for label, ops in (("AttnLRP", ATTN_LRP), ("CP-LRP", CP_LRP)):
            explained = predictor(config, params, ops=ops)
            found = np.asarray(attribution.relevance(explained, windows))
            readers[model][1][label] = found**2
        if model == "content":
            rolled = attribution.attention_rollout(
                attention(config, params, windows), windows.shape[2]
            )
            readers[model][1]["rollout"] = np.asarray(rolled) ** 2
    for forecaster, (forecast, scores) in readers.items():
        error = excess_error(system, forecast)
        for readout, score in scores.items():
            ratio = np.sqrt(score[system.edges] / truth[system.edges])
            found = judged(score, truth, system.edges)
            found |= {"size": float(np.median(ratio)), "excess error": error}
            yield forecaster, readout, found


def _of_any(forecast, windows: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Readouts of any forecaster, as squares."""
    redrawn = partial(attribution.intervention, forecast, windows, key=jax.random.key(seed))
    return {
        "gradient energy": np.asarray(attribution.gradient_energy(forecast, windows)),
        "input × gradient": np.asarray(attribution.input_x_gradient(forecast, windows)) ** 2,
        "intervention, marginal": np.asarray(redrawn()),
        "intervention, conditional": np.asarray(redrawn(values="conditional")),
    }
