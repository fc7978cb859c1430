"""Compile what most searches need, before anyone waits for it."""

import numpy as np

from jaxcause._checks import check_at_least, check_choice
from jaxcause._small_work import compiling_at_once
from jaxcause.discovery.fci import fci
from jaxcause.discovery.icd import icd
from jaxcause.discovery.pc import pc
from jaxcause.stats import partial_correlation_test

_SEARCHES = {"pc": pc, "fci": fci, "icd": icd}


def warmup(
    n_nodes: int = 200,
    *,
    searches: tuple[str, ...] = ("pc",),
    dtype: np.dtype | type = np.float64,
    seed: int = 0,
) -> None:
    """Run small searches, so that later ones of up to ``n_nodes`` nodes start at once.

    What is compiled depends on rounded sizes, not on the data. With JAX's persistent compilation
    cache the next process loads it instead: set ``jax_compilation_cache_dir``, and
    ``jax_persistent_cache_min_compile_time_secs=0`` since each program is small.

    Args:
        n_nodes: Largest number of nodes to prepare for.
        searches: Which of ``pc``, ``fci`` and ``icd``.
        dtype: Precision of the correlations to come.
        seed: Of the data that are searched.

    Raises:
        InputError: ``n_nodes`` is below 8, or a search is not known.

    >>> warmup(8)
    """
    check_at_least("n_nodes", n_nodes, 8)
    for name in searches:
        check_choice("searches", name, tuple(_SEARCHES))
    rng = np.random.default_rng(seed)
    with compiling_at_once():
        for name in searches:
            test = partial_correlation_test(_sparse_correlations(rng, n_nodes).astype(dtype), 1000)
            _SEARCHES[name](test, alpha=0.01, max_cond_size=None if name == "pc" else 3)


def _sparse_correlations(rng: np.random.Generator, n: int) -> np.ndarray:
    """Correlations of a random linear model of mean degree 3, whose neighbourhoods vary."""
    weights = np.triu(rng.random((n, n)) < 3 / (n - 1), 1) * rng.uniform(0.3, 1, (n, n))
    effects = np.linalg.inv(np.eye(n) - weights)
    covariance = effects.T @ effects
    deviation = np.sqrt(np.diag(covariance))
    noise = rng.normal(size=(1000, n)) @ np.linalg.cholesky(covariance).T / deviation
    return np.asarray(np.corrcoef(noise.T))
