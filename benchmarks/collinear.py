"""Series with redundant columns: false and missed edges of PCMCI and PCMCI+, tigramite beside.

A column that a copy, a sum or its own past determines must not make edges between others.
"""

import contextlib
import io
from collections.abc import Callable

import numpy as np

from jaxcause.discovery import lagged_correlation, pcmci, pcmci_plus

SEEDS, MAX_LAG = 3, 2
MORE_SEEDS = 100
"""Series of each kind whose share of false links is compared with the level of the tests, .01."""
METHODS = {"pcmci": {"pc_alpha": 0.2, "alpha": 0.01}, "pcmci+": {"pc_alpha": 0.01}}

KINDS = {
    "copy": lambda x, rng: [(x[:, 0], (0,))],
    "rescaled": lambda x, rng: [(2 * x[:, 0] + 1, (0,))],
    "negated": lambda x, rng: [(-32.5 * x[:, 1] + 1e4, (1,))],
    "sum": lambda x, rng: [(x[:, 0] + x[:, 1], (0, 1))],
    "two copies": lambda x, rng: [(x[:, 0] / 3, (0,)), (7 - x[:, 1], (1,))],
    "total": lambda x, rng: [(x.sum(axis=1), (0, 1, 2))],
    "one-hot": lambda x, rng: _one_hot(rng, len(x)),
    "alternating": lambda x, rng: [(np.arange(len(x)) % 2, (3,))],
    "alternating cause": lambda x, rng: [(np.arange(len(x)) % 2, (3,))],
    "constant stretch": lambda x, rng: [(np.where(np.arange(len(x)) < 40, x[:, 1], 0.5), (1,))],
    "nearly a copy": lambda x, rng: [(x[:, 0] + 1e-7 * rng.normal(size=len(x)), (0,))],
}


def _one_hot(rng: np.random.Generator, n: int) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    category = rng.integers(3, size=n)
    return [((category == k).astype(float), (3,)) for k in range(3)]


def collinear_series(kind: str, seed: int, *, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Values, and ``true[source, target, lag]``: an edge between what the columns are made of.

    Of three columns the first drives the second after one step, and all have some memory. A column
    that alternates drives the third if it is a cause; its two lags say the same then.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    drives = kind == "alternating cause"
    x[:, 2] += drives * (np.arange(n) % 2)
    for t in range(1, n):
        x[t] += 0.4 * x[t - 1]
        x[t, 1] += 0.7 * x[t - 1, 0]
    base = np.zeros((4, 4, 3), bool)
    base[[0, 1, 2], [0, 1, 2], 1] = base[0, 1, 1] = True
    # What alternates or comes from one draw of categories belongs together at every lag.
    base[3, 3] = True
    base[3, 2, 1:] = drives
    made = KINDS[kind](x, rng)
    columns = [*((column, (k,)) for k, column in enumerate(x.T)), *made]
    true = np.zeros((len(columns), len(columns), 3), bool)
    for i, (_, sources) in enumerate(columns):
        for j, (_, targets) in enumerate(columns):
            true[i, j] = base[np.ix_(sources, targets)].any(axis=(0, 1))
            true[i, j, 0] |= bool(set(sources) & set(targets))
    return np.column_stack([column for column, _ in columns]), true


def run() -> list[dict]:
    """One row per kind of column, over all seeds."""
    peer = _tigramite()
    rows = []
    for kind in KINDS:
        row = {"kind": kind, "series": SEEDS}
        for method in METHODS:
            counts: dict[str, list[int]] = {}
            for seed in range(SEEDS):
                x, true = collinear_series(kind, seed)
                ours = _jaxcause(x, method)
                _add(counts, "", ours, true)
                if peer is not None:
                    theirs = peer(x, method)
                    _add(counts, " tigramite", theirs, true)
                    only = counts.setdefault("false, ours alone", [0])
                    only[0] += int((ours & ~true & ~theirs).sum())
            row |= {f"{method} {name}": total for name, (total,) in counts.items()}
        rows.append(row | {f"pcmci % false of {MORE_SEEDS} series": share_of_false(kind)})
    return rows


def share_of_false(kind: str) -> float:
    """False links of our PCMCI among all that are not true, in percent."""
    n_false = n_pairs = 0
    for seed in range(MORE_SEEDS):
        x, true = collinear_series(kind, seed)
        none = ~true
        none[:, :, 0] &= np.tri(len(none), k=-1, dtype=bool)  # an edge at lag 0 counts once
        n_false += int((_jaxcause(x, "pcmci") & none).sum())
        n_pairs += int(none.sum())
    return round(100 * n_false / n_pairs, 2)


def _add(counts: dict[str, list[int]], whose: str, found: np.ndarray, true: np.ndarray) -> None:
    """Add false links, and lagged links that are true of the columns and were missed."""
    counts.setdefault(f"false{whose}", [0])[0] += int((found & ~true).sum())
    counts.setdefault(f"missed{whose}", [0])[0] += int((true & ~found)[:, :, 1:].sum())


def _jaxcause(x: np.ndarray, method: str) -> np.ndarray:
    corr, n_samples = lagged_correlation(x, np.arange(len(x) - 2 * MAX_LAG), max_lag=MAX_LAG)
    search = pcmci if method == "pcmci" else pcmci_plus
    found = search(corr, n_samples, n_vars=x.shape[1], **METHODS[method])
    return np.asarray(found.graph.adjacency)


def _tigramite() -> Callable[[np.ndarray, str], np.ndarray] | None:
    try:
        from tigramite.data_processing import DataFrame
        from tigramite.independence_tests.parcorr import ParCorr
        from tigramite.pcmci import PCMCI
    except ImportError:
        return None

    def links(x: np.ndarray, method: str) -> np.ndarray:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            search = PCMCI(DataFrame(x), ParCorr(), verbosity=0)
            if method == "pcmci":
                found = search.run_pcmci(tau_max=MAX_LAG, pc_alpha=0.2, alpha_level=0.01)
                kept = found["p_matrix"] <= 0.01
            else:
                found = search.run_pcmciplus(tau_max=MAX_LAG, pc_alpha=0.01)
                kept = found["graph"] != ""
        kept[np.arange(len(kept)), np.arange(len(kept)), 0] = False
        return kept

    return links
