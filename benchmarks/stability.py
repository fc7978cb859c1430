"""How far readouts agree if only the key, the length of training or the size of the model differs.

Forecasters of one series of 2,000 rows are read on the same windows. The agreement of two of them
is the rank correlation of their scores, over all candidates and over the true edges alone, where
only sizes differ. F1 is that of as many links as there are edges, with the interval of a mean over
the forecasters (Student's t, 95 %).
"""

from itertools import combinations
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.stats

from benchmarks.calibration.figures import f1_at_true_number
from benchmarks.core.timing import say
from benchmarks.mechanisms import System, draw_system, excess_error, train
from jaxcause import attribution
from jaxcause.models.forecaster import predictor
from jaxcause.nn import ATTN_LRP, CP_LRP

ON = ("linear", "curved (tanh 2x)", "product (tanh x1*x2)")
N_ROWS, N_STEPS = 2000, 1000


class Variation(NamedTuple):
    """What differs, and the forecasters: model, steps of training and key of each."""

    what: str
    forecasters: tuple[tuple[str, int, int], ...]


VARIATIONS = (
    Variation("key, by position", tuple(("base", N_STEPS, key) for key in range(5))),
    Variation("key, by content", tuple(("content", N_STEPS, key) for key in range(3))),
    Variation("steps: 500, 1,000, 2,000", tuple(("base", n, 0) for n in (500, 1000, 2000))),
    Variation(
        "size: small, base, large", tuple((m, N_STEPS, 0) for m in ("small", "base", "large"))
    ),
)


def run(*, quick: bool = False) -> list[dict]:
    """Rows of all systems, variations and readouts."""
    rows = []
    for name in ON[:1] if quick else ON:
        system, trained = draw_system(name, 0, N_ROWS), {}
        for what, forecasters in VARIATIONS:
            for one in forecasters:
                if one not in trained:
                    trained[one] = _read(system, *one)
            read = [trained[one] for one in forecasters]
            for readout in read[0][1]:
                row = {"system": name, "what differs": what, "forecasters": len(read)}
                row |= {"excess error": float(np.mean([error for error, _ in read]))}
                row |= {"readout": readout}
                rows.append(row | _agreement([scores[readout] for _, scores in read], system.edges))
                say(str(rows[-1]))
    return rows


def _read(
    system: System, model: str, n_steps: int, key: int
) -> tuple[float, dict[str, np.ndarray]]:
    """The error of a trained forecaster, and its scores by every readout."""
    found: Any = train(system, model, n_steps, key).forecaster
    forecast, windows = predictor(found.config, found.params), system.windows
    scores = {
        "gradient energy": attribution.gradient_energy(forecast, windows),
        "input × gradient": attribution.input_x_gradient(forecast, windows),
        "intervention": attribution.intervention(forecast, windows, key=jax.random.key(0)),
    }
    for label, ops in (("AttnLRP", ATTN_LRP), ("CP-LRP", CP_LRP)):
        explained = predictor(found.config, found.params, ops=ops)
        scores[label] = attribution.relevance(explained, windows)
    return excess_error(system, forecast), {name: np.asarray(s) for name, s in scores.items()}


def _agreement(scores: list[np.ndarray], edges: np.ndarray) -> dict[str, float | str]:
    """Mean rank correlations of all pairs, and F1 with its interval."""
    f1 = [f1_at_true_number(one, edges) for one in scores]
    half = scipy.stats.t.ppf(0.975, len(f1) - 1) * np.std(f1, ddof=1) / np.sqrt(len(f1))
    low, high = np.clip([np.mean(f1) - half, np.mean(f1) + half], 0, 1)
    return {
        "agreement": _mean_correlation([one[:, :, 1:].ravel() for one in scores]),
        "on true edges": _mean_correlation([one[edges] for one in scores]),
        "F1": float(np.mean(f1)),
        "interval": f"{low:.2f} to {high:.2f}",
    }


def _mean_correlation(scores: list[np.ndarray]) -> float:
    pairs = [scipy.stats.spearmanr(*pair).statistic for pair in combinations(scores, 2)]
    return float(np.mean(pairs))
