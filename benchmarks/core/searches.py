"""The timed calls by name, so that a fresh process can make them too."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import jaxcause as jc
from benchmarks.core import problems
from benchmarks.core.problems import ALPHA, N_EMBEDDING, N_SAMPLES
from jaxcause.discovery._host.cpdag import orient_by_edges
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.record import SearchRecord
from jaxcause.discovery._host.search import begin, remove_separable
from jaxcause.discovery._host.skeleton import Skeleton
from jaxcause.discovery._kernel.engine import engine_of
from jaxcause.discovery._problem import Constraints, Problem

Call = Callable[[], object]


def skeleton(test, *, alpha: float = ALPHA, max_cond_size: int | None = None) -> Skeleton:
    """The skeleton and its separating sets, as `jc.pc` finds them, and nothing else."""
    problem = _problem(test, alpha, max_cond_size)
    evaluate = Evaluator(problem.engine, alpha=alpha)
    record = SearchRecord()
    found = remove_separable(problem, evaluate, begin(problem, evaluate, record), record)
    found.sepsets(problem)
    return found


def orientation(test, found: Skeleton) -> Call:
    """Colliders and Meek's rules alone, of separating sets that are there."""
    sepsets = found.sepsets(_problem(test, ALPHA, None))
    return partial(orient_by_edges, found.adjacency, sepsets, cannot_cause=None)


def _problem(test, alpha: float, max_cond_size: int | None) -> Problem:
    n = test.n_nodes
    engine, largest = engine_of(test), n if max_cond_size is None else max_cond_size
    mask = np.ones((engine.n_graphs, n), bool)
    return Problem(engine, alpha, Constraints.none(n), mask, False, largest, n)


_SEARCHES = {"skeleton": skeleton, "pc": jc.pc, "icd": jc.icd}


def on_dag(search: str, p: int, precision: str) -> Call:
    """One sparse DAG."""
    test = problems.gaussian_test(problems.dag_corr(p), N_SAMPLES, precision)
    return partial(_SEARCHES[search], test, alpha=ALPHA)


def on_graphs(search: str, n_graphs: int, n: int, precision: str) -> Call:
    """Many small DAGs."""
    corr = problems.graphs_corr(problems.graphs_data(n_graphs, n))
    return partial(
        _SEARCHES[search], problems.gaussian_test(corr, N_SAMPLES, precision), alpha=ALPHA
    )


def on_chains(search: str, p: int, n_samples: int, max_cond_size: int) -> Call:
    """Many variables, few samples."""
    test = problems.gaussian_test(problems.chains_corr(p, n_samples), n_samples)
    return partial(_SEARCHES[search], test, alpha=ALPHA, max_cond_size=max_cond_size)


def on_attention(
    search: str,
    n_heads: int,
    n: int,
    sigma: float,
    causal: bool = False,
    max_cond_size: int | None = None,
    **options: str,
) -> Call:
    """Attention matrices."""
    corr = problems.attention_corr(n_heads, n, sigma, causal=causal)
    test = problems.gaussian_test(corr, N_EMBEDDING)
    return partial(_SEARCHES[search], test, alpha=ALPHA, max_cond_size=max_cond_size, **options)


def on_genes(search: str, data: str) -> Call:
    """The gene matrix."""
    corr, n_samples = problems.gene_corr(Path(data))
    return partial(_SEARCHES[search], problems.gaussian_test(corr, n_samples), alpha=ALPHA)


CALLS = {
    "dag": on_dag,
    "graphs": on_graphs,
    "chains": on_chains,
    "attention": on_attention,
    "genes": on_genes,
}
