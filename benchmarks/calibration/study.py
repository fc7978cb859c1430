"""How many edges are false at q=.1: selection rules on drawn scores and on scores of forecasters.

The null of drawn scores is known, so they show where each rule fails. Scores of trained forecasters
show whether this happens in practice. Every row is a mean over keys.
"""

from collections.abc import Iterator

import jax
import numpy as np

import jaxcause as jc
from benchmarks.calibration.figures import columns, f1_at_true_number
from benchmarks.calibration.rules import RULES, Q, decoy_edges, fitted_null
from benchmarks.calibration.systems import bent_system, draw, shaped_system, weak_system
from benchmarks.core.timing import say
from jaxcause import simulate
from jaxcause.attribution import select_stable
from jaxcause.training import TrainingConfig

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

SHAPED = ((5, 1, 1_000), (8, 2, 1_000), (12, 1, 3_000))
"""Variables, lags and rows of small systems with effects of many shapes."""


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
        "shapes": _shaped(1 if quick else 5),
    }
    for name, source in studies.items():
        if only and name not in only.split(","):
            continue
        for row in source:
            say(str(row))
            rows.append(row)
    return rows


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
                    **columns(found),
                }


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
            **columns(found),
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
            # How often an edge is found where there is none takes more systems to know.
            n_systems = 6 * n_seeds if share == 0 and n_steps == 1_000 else n_seeds
            seeds = range(1_000, 1_000 + n_systems)
            systems = [bent_system(seed, n_vars, share, n_steps) for seed in seeds]
            for row in _by_method(systems, 1, own=False):
                data = f"n={n_vars} L=1 T={n_steps}, {share:.0%} of pairs are edges"
                yield {"table": "few candidates", "data": data} | row


def _shaped(n_seeds: int) -> Iterator[dict]:
    """The same by the shape of the effects, in sparse to dense graphs, and means for each shape."""
    rows = []
    for n_vars, max_lag, n_steps in SHAPED:
        for shape in ("tanh", "square", "absolute value", "product", "mixed"):
            for share in (0.2, 0.5, 0.85):
                systems = [
                    shaped_system(seed, n_vars, max_lag, share, n_steps, shape)
                    for seed in range(n_seeds)
                ]
                for row in _by_method(systems, max_lag, own=False):
                    size = f"n={n_vars} L={max_lag} T={n_steps}"
                    where = {"shape": shape, "size": size, "share of pairs": share}
                    rows.append({"table": "shapes"} | where | row)
                    yield rows[-1]
    yield from means_by_shape(rows)


def means_by_shape(rows: list[dict]) -> Iterator[dict]:
    """The mean of all sizes and densities, by shape and method."""
    for shape in dict.fromkeys(row["shape"] for row in rows):
        for method in dict.fromkeys(row["method"] for row in rows):
            chosen = [row for row in rows if (row["shape"], row["method"]) == (shape, method)]
            figures = [name for name in chosen[0] if name.split()[0] in ("FDR", "F1")]
            means = {name: float(np.mean([row[name] for row in chosen])) for name in figures}
            yield {"table": "shapes (means)", "shape": shape, "method": method} | means


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
            **columns({f"q={Q}": found}),
        }
