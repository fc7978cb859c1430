"""The data of the study: random linear DAGs, chains, attention matrices, and a gene matrix."""

from pathlib import Path

import numpy as np

import jaxcause as jc

N_SAMPLES = 1000
ALPHA = 0.01
N_EMBEDDING = 768
"""Samples behind the correlations of an attention matrix: the width of the embedding."""


def dag_data(p: int, *, seed: int = 0, degree: float = 3) -> np.ndarray:
    """Samples of a random sparse linear-Gaussian DAG, its columns shuffled."""
    rng = np.random.default_rng(seed)
    edges = np.triu(rng.random((p, p)) < degree / (p - 1), 1)
    weights = edges * rng.uniform(0.3, 1, (p, p)) * rng.choice([-1, 1], (p, p))
    data = rng.normal(size=(N_SAMPLES, p))
    for j in range(p):
        data[:, j] += data[:, :j] @ weights[:j, j]
    return data[:, rng.permutation(p)]


def dag_corr(p: int) -> np.ndarray:
    """Correlations of `dag_data`."""
    return np.corrcoef(dag_data(p).T)


def graphs_data(n_graphs: int, n: int) -> np.ndarray:
    """Data of many small DAGs: ``[graphs, samples, nodes]``."""
    return np.stack([dag_data(n, seed=seed) for seed in range(n_graphs)])


def graphs_corr(data: np.ndarray) -> np.ndarray:
    """Correlations of each graph."""
    return np.stack([np.corrcoef(one.T) for one in data])


def chains_corr(p: int, n_samples: int) -> np.ndarray:
    """Few samples of many variables: 50 chains of ten, all others independent."""
    data = np.random.default_rng(0).normal(size=(n_samples, p))
    for start in range(0, min(p, 500), 10):
        for j in range(start + 1, start + 10):
            data[:, j] += data[:, j - 1]
    return np.corrcoef(data.T)


def regular_graph(n: int, degree: int) -> np.ndarray:
    """Adjacency in which every node has an even ``degree``, its nodes shuffled."""
    distance = np.abs(np.arange(n)[:, None] - np.arange(n))
    distance = np.minimum(distance, n - distance)
    order = np.random.default_rng(0).permutation(n)
    return ((distance > 0) & (distance <= degree // 2))[np.ix_(order, order)]


def attention_corr(n_heads: int, n: int, sigma: float, *, causal: bool = False) -> np.ndarray:
    """Correlations A Aᵀ, with A the softmax of random scores."""
    scores = sigma * np.random.default_rng(0).normal(size=(n_heads, n, n))
    if causal:
        scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    covariance = weights @ np.swapaxes(weights, 1, 2)
    scale = np.sqrt(np.einsum("gii->gi", covariance))
    return covariance / (scale[:, :, None] * scale[:, None, :])


def gene_corr(data: Path) -> tuple[np.ndarray, int]:
    """Correlations of the gene matrix, and its number of samples."""
    table = np.loadtxt(data / "nci60_59x1190.csv", delimiter=",")
    return np.corrcoef(table.T), len(table)


def gaussian_test(corr: np.ndarray, n_samples: int, precision: str = "float64"):
    """The test in a precision; ill-conditioned correlations always stay in float64."""
    return jc.partial_correlation_test(corr.astype(precision), n_samples)
