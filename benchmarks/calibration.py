"""How many edges are false at q=.1: selection rules on drawn scores and on scores of forecasters.

The null of drawn scores is known, so they show where each rule fails. Scores of trained forecasters
show whether this happens in practice. Every row is a mean over keys.
"""

from collections.abc import Callable, Iterator

import jax
import numpy as np
import scipy.stats

import jaxcause as jc
from benchmarks.core.timing import say
from jaxcause import simulate
from jaxcause.attribution import empirical_null, select_stable
from jaxcause.stats import benjamini_hochberg
from jaxcause.training import TrainingConfig

Q = 0.1
MEMBERS = 5
SHAPES = ("normal", "log chi-square", "log exponential", "Student t, 5", "skewed to the right")
SIZES = ((3, 2), (5, 3), (10, 5), (25, 8))
CASES = ((0.0, 0.0), (0.06, 3.0), (0.06, 5.0), (0.3, 3.0), (0.3, 5.0))
"""Share of edges among candidates, and their distance above the non-edges in scales of these."""
TRAINED = (
    ("linear", 10, 5, 10_000, 3),
    ("nonlinear", 10, 5, 10_000, 3),
    ("nonlinear", 10, 5, 3_000, 3),
    ("nonlinear", 10, 5, 1_000, 3),
    ("linear", 5, 3, 10_000, 5),
    ("linear", 6, 2, 3_000, 0),
    ("nonlinear", 10, 25, 10_000, 3),
    ("nonlinear", 25, 5, 10_000, 3),
)
QUICK = (("nonlinear", 5, 3, 2_000, 2), ("linear", 5, 3, 2_000, 0))
FEW = ((3, 1_000), (5, 1_000), (12, 1_000), (3, 30_000), (12, 30_000))
WEAK = (
    ("linear", "normal", 500),
    ("linear", "normal", 2_000),
    ("linear", "Student t, 4", 1_000),
    ("linear", "heteroscedastic", 1_000),
    ("linear", "smooth", 1_000),
    ("tanh", "normal", 2_000),
    ("square", "normal", 4_000),
)
"""Effects that are hard to see: function, noise and number of rows."""


def run(*, quick: bool = False, only: str = "") -> list[dict]:
    """All rows; a quick run uses few keys, and forecasters of two small systems.

    Args:
        quick: Few keys.
        only: Names of the tables to make, with commas; all by default.
    """
    rows = []
    studies = {
        "drawn scores": _drawn(5 if quick else 30),
        "forecasters": _trained(quick=quick),
        "weak effects": _weak(2 if quick else 10),
        "few candidates": _few(2 if quick else 10),
    }
    for name, source in studies.items():
        if only and name not in only.split(","):
            continue
        for row in source:
            say(str(row))
            rows.append(row)
    return rows


def fitted_null(scores: np.ndarray) -> np.ndarray:
    """The rule of the library."""
    test = empirical_null(scores)
    return (np.asarray(test.q_value) <= Q) & (np.asarray(test.local_fdr) <= 0.5)


def without_local_rate(scores: np.ndarray) -> np.ndarray:
    """The null of the library with q-values alone."""
    return np.asarray(empirical_null(scores).q_value) <= Q


def median_null(scores: np.ndarray) -> np.ndarray:
    """A normal null, fitted by the median and by the median distance below it."""
    z = 0.5 * np.log(scores[:, :, 1:])
    centre = np.median(z)
    scale = scipy.stats.norm.ppf(0.75) ** -1 * np.median(centre - z[z <= centre])
    return _by_p_values(scipy.stats.norm.sf((z - centre) / scale))


RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fitted null": fitted_null,
    "without local rate": without_local_rate,
    "median null": median_null,
}


def _by_p_values(p_value: np.ndarray) -> np.ndarray:
    kept = np.asarray(benjamini_hochberg(p_value)) <= Q
    return np.pad(kept, [(0, 0), (0, 0), (1, 0)])


def _drawn(n_keys: int) -> Iterator[dict]:
    """Scores of a known null: five shapes, four sizes, none to many edges, weak to strong."""
    for shape in SHAPES:
        for n_vars, max_lag in SIZES:
            for share, distance in CASES:
                rng = np.random.default_rng(0)
                drawn = [draw(rng, n_vars, max_lag, share, distance, shape) for _ in range(n_keys)]
                found = {
                    name: [(rule(scores), truth) for scores, truth in drawn]
                    for name, rule in RULES.items()
                }
                yield {
                    "table": "drawn scores",
                    "null": shape,
                    "size": f"n={n_vars} L={max_lag}",
                    "edges": share,
                    "distance": distance,
                    "F1 at true number": float(np.mean([f1_at_true_number(*d) for d in drawn])),
                    **_columns(found),
                }


def draw(
    rng: np.random.Generator, n_vars: int, max_lag: int, share: float, distance: float, shape: str
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and their edges; as with forecasters, targets and sources have different scales."""
    size = (n_vars, n_vars, max_lag)
    standard = {
        "normal": lambda: rng.normal(size=size),
        "log chi-square": lambda: (np.log(rng.chisquare(1, size=size)) + 1.2704) / 2.2214,
        "log exponential": lambda: (np.log(rng.exponential(size=size)) + 0.5772) / 1.2825,
        "Student t, 5": lambda: rng.standard_t(5, size=size) / np.sqrt(5 / 3),
        "skewed to the right": lambda: -(np.log(rng.gamma(3.0, size=size)) - 0.9228) / 0.6284,
    }[shape]()
    z = (
        0.6 * standard
        + 0.2 * rng.normal(size=(1, n_vars, 1))
        + 0.2 * rng.normal(size=(n_vars, 1, 1))
    )
    edges = rng.permutation(z.size).reshape(size) < round(share * z.size)
    z = np.where(edges, 0.6 * distance + 0.35 * rng.normal(size=size), z)
    at_lag_0 = [(0, 0), (0, 0), (1, 0)]
    return np.pad(np.exp(2 * z), at_lag_0), np.pad(edges, at_lag_0)


def _trained(*, quick: bool) -> Iterator[dict]:
    """Scores of single forecasters, of an ensemble, and of forecasters with decoys as inputs."""
    training = TrainingConfig(n_steps=300) if quick else None
    for function, n_vars, max_lag, n_steps, n_parents in QUICK if quick else TRAINED:
        found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        best = []
        for seed in range(1 if quick else 3):
            series, graph = simulate.vector_autoregression(
                jax.random.key(seed),
                n_vars=n_vars,
                max_lag=max_lag,
                n_steps=n_steps,
                n_parents=n_parents,
                function=function,
            )
            series, truth = np.asarray(series), np.asarray(graph.directed)
            options = {"key": jax.random.key(seed), "training": training, "progress": False}
            members = jc.discover(series, max_lag, members=MEMBERS, **options)
            by_member = np.asarray(members.info.member_scores)
            kept = {name: rule(by_member[0]) for name, rule in RULES.items()}
            kept["mean of members"] = fitted_null(np.asarray(members.scores))
            kept["stable"] = np.asarray(select_stable(by_member).graph.directed)
            kept["decoys"] = decoy_edges(series, max_lag, options)
            for name, mask in kept.items():
                found.setdefault(name, []).append((mask, truth))
            best.append(f1_at_true_number(by_member[0], truth))
        yield {
            "table": "forecasters",
            "data": f"{function} n={n_vars} L={max_lag} T={n_steps}, {n_parents} parents",
            "F1 at true number": float(np.mean(best)),
            **_columns(found),
        }


def _weak(n_seeds: int) -> Iterator[dict]:
    """False edges of whole methods where only some of the true edges can be found."""
    for function, noise, n_steps in WEAK:
        systems = [weak_system(seed, function, noise, n_steps) for seed in range(n_seeds)]
        for row in _by_method(systems, 3, own=True):
            data = f"{function}, {noise} noise, T={n_steps}"
            yield {"table": "weak effects", "data": data} | row


def _few(n_seeds: int) -> Iterator[dict]:
    """The same where candidates are few, or where most of them may be edges."""
    for n_vars, n_steps in FEW:
        for share in (0.0, 0.3, 0.8):
            systems = [bent_system(1000 + seed, n_vars, share, n_steps) for seed in range(n_seeds)]
            for row in _by_method(systems, 1, own=False):
                data = f"n={n_vars} L=1 T={n_steps}, {share:.0%} of pairs are edges"
                yield {"table": "few candidates", "data": data} | row


def _by_method(
    systems: list[tuple[np.ndarray, np.ndarray]], max_lag: int, *, own: bool
) -> Iterator[dict]:
    """Edges, false ones and F1; ``own`` says whether a variable's own past counts."""
    for method in ("default", "var", "pcmci"):
        found = []
        for seed, (series, truth) in enumerate(systems):
            options = {} if method == "default" else {"method": method}
            result = jc.discover(
                series, max_lag, q=Q, key=jax.random.key(seed), progress=False, **options
            )
            counted = ~np.eye(len(truth), dtype=bool)[:, :, None] | own
            mask = np.array(result.graph.directed) & counted
            mask[:, :, 0] = False
            found.append((mask, truth & counted))
        yield {
            "method": method,
            "seeds": len(systems),
            "edges": float(np.mean([mask.sum() for mask, _ in found])),
            "true edges": float(np.mean([truth.sum() for _, truth in found])),
            **_columns({f"q={Q}": found}),
        }


def weak_system(
    seed: int, function: str, noise: str, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ten variables with two weak parents each, at lags to 3, and their own last values.

    The coefficients are about two to four standard errors of a regression on 1,000 rows.
    """
    rng = np.random.default_rng(seed)
    n, max_lag = 10, 3
    truth, weight = np.zeros((n, n, max_lag + 1), bool), np.zeros((n, n, max_lag + 1))
    for target in range(n):
        others = rng.permutation(np.delete(np.arange(n), target))[:2]
        for source in others:
            lag = rng.integers(1, max_lag + 1)
            truth[source, target, lag] = True
            weight[source, target, lag] = rng.choice([-1, 1]) * rng.uniform(0.06, 0.14)
    # With 0.9 the systems would grow without bound.
    own = 0.8 if noise == "smooth" else 0.4
    truth[np.arange(n), np.arange(n), 1] = True
    length = n_steps + 200
    shape = {
        "linear": lambda past: past,
        "tanh": lambda past: np.tanh(2 * past),
        "square": lambda past: np.minimum(past**2, 4.0) - 1,
    }[function]
    shocks = {
        "normal": lambda: rng.normal(size=(length, n)),
        "smooth": lambda: rng.normal(size=(length, n)),
        "Student t, 4": lambda: rng.standard_t(4, size=(length, n)) / np.sqrt(2),
        "heteroscedastic": lambda: rng.normal(size=(length, n)),
    }[noise]()
    x = np.zeros((length, n))
    for t in range(max_lag, length):
        past = x[t - max_lag : t][::-1]
        scale = 1.0
        if noise == "heteroscedastic":
            scale = np.sqrt(0.5 + 0.5 * np.minimum(past[0] ** 2, 9.0))
        x[t] = own * past[0] + scale * shocks[t]
        x[t] += np.einsum("li,ijl->j", shape(past), weight[:, :, 1:])
    return x[200:], truth


def bent_system(
    seed: int, n_vars: int, share: float, n_steps: int = 1_000
) -> tuple[np.ndarray, np.ndarray]:
    """Effects at lag 1 that saturate, of squares, or of products with the target."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n_vars, n_vars, 2)) < share
    truth[:, :, 0] = False
    truth[np.arange(n_vars), np.arange(n_vars), 1] = True
    own = rng.uniform(0.2, 0.6, n_vars)
    weight = rng.choice([-1, 1], (n_vars, n_vars)) * rng.uniform(0.4, 0.8, (n_vars, n_vars))
    kind = rng.integers(3, size=(n_vars, n_vars))
    weight *= truth[:, :, 1] & ~np.eye(n_vars, dtype=bool)
    x = np.zeros((n_steps + 50, n_vars))
    for t in range(1, len(x)):
        near = np.clip(x[t - 1], -2, 2)
        shapes = np.tanh(2 * near)[:, None], (near**2 - 1)[:, None], 0.6 * np.outer(near, near)
        effects = (weight * np.select([kind == k for k in range(3)], shapes)).sum(axis=0)
        x[t] = own * x[t - 1] + effects + rng.normal(size=n_vars)
    return x[50:], truth


def decoy_edges(series: np.ndarray, max_lag: int, options: dict) -> np.ndarray:
    """Decoys, variables shifted by half the series, cause nothing: their scores are the null.

    The decoys of all targets are pooled, and p = (1 + decoys that score as high) / (1 + decoys).
    """
    n_vars = series.shape[1]
    both = np.concatenate([series, np.roll(series, len(series) // 2, axis=0)], axis=1)
    scores = np.asarray(jc.discover(both, max_lag, **options).scores)[:, :n_vars, 1:]
    null = np.sort(scores[n_vars:].ravel())
    as_high = null.size - np.searchsorted(null, scores[:n_vars], side="left")
    return _by_p_values((1 + as_high) / (1 + null.size))


def f1_at_true_number(scores: np.ndarray, truth: np.ndarray) -> float:
    """F1 of the best-scored candidates, as many as there are edges."""
    if not truth.any():
        return 1.0
    return _f1(scores >= np.sort(scores, axis=None)[-truth.sum()], truth)


def _f1(mask: np.ndarray, truth: np.ndarray) -> float:
    total = mask.sum() + truth.sum()
    return float(2 * (mask & truth).sum() / total) if total else 1.0


def _columns(found: dict[str, list[tuple[np.ndarray, np.ndarray]]]) -> dict[str, float]:
    """Share of false edges (without edges: how often any is found), and F1."""
    columns = {}
    for name, pairs in found.items():
        false = [(mask & ~truth).sum() / max(mask.sum(), 1) for mask, truth in pairs]
        columns[f"FDR {name}"] = float(np.mean(false))
        columns[f"F1 {name}"] = float(np.mean([_f1(mask, truth) for mask, truth in pairs]))
    return columns
