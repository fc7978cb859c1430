"""Renumbering the columns renumbers the result, on finite samples and by default."""

import numpy as np
import pytest

from jaxcause import fci, icd, partial_correlation_test, pc
from jaxcause.discovery import lagged_correlation, pcmci_plus

CASES, N, SAMPLES = 200, 8, 150


def correlations():
    rng = np.random.default_rng(7)
    for _ in range(CASES):
        dag = np.triu(rng.random((N, N)) < 0.4, 1) * rng.uniform(0.3, 1, (N, N))
        x = rng.normal(size=(SAMPLES, N)) @ np.linalg.inv(np.eye(N) - dag)
        yield np.corrcoef(x.T), rng.permutation(N)


def pairs(order):
    return order[:, None], order


@pytest.mark.parametrize("search", [pc, fci, icd])
def test_the_default_result_of_200_data_sets_does_not_depend_on_the_order(search):
    corr, orders = (np.array(part) for part in zip(*correlations(), strict=True))
    moved = np.array([one[pairs(order)] for one, order in zip(corr, orders, strict=True)])
    plain, permuted = (search(partial_correlation_test(c, SAMPLES)) for c in (corr, moved))
    for k, order in enumerate(orders):
        for whole, again in (
            (plain.graph.marks[k], permuted.graph.marks[k]),
            (plain.p_values[k], permuted.p_values[k]),
            (plain.info.n_tests[k], permuted.info.n_tests[k]),
        ):
            expected = np.asarray(whole)
            expected = expected[pairs(order)] if expected.ndim == 2 else expected
            np.testing.assert_allclose(np.asarray(again), expected, atol=1e-9)


def test_the_default_result_of_pcmci_plus_does_not_depend_on_the_order():
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(SAMPLES, 4))
        for t in range(1, SAMPLES):
            x[t] += 0.4 * x[t - 1]
            x[t, 1] += 0.6 * x[t, 0]
            x[t, 2] += 0.5 * x[t, 1]
            x[t, 3] += 0.5 * x[t - 1, 2] + 0.4 * x[t, 0]
        order = rng.permutation(4)
        marks = []
        for columns in (x, x[:, order]):
            corr, n = lagged_correlation(columns, np.arange(SAMPLES - 2), max_lag=1)
            marks.append(np.asarray(pcmci_plus(corr, n, n_vars=4, pc_alpha=0.1).graph.marks))
        assert (marks[0][pairs(order)] == marks[1]).all()
