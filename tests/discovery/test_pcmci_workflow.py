"""The linear methods on a table: PCMCI, PCMCI+ and the lasso."""

import numpy as np
import pytest

from jaxcause import discover
from jaxcause.series import as_series_table


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(600, 3))
    for t in range(2, len(x)):
        x[t, 1] += 0.6 * x[t - 2, 0]
        x[t, 2] += 0.6 * x[t, 1]
    x[100, 0] = np.nan
    return x


def test_pcmci(series):
    table = as_series_table(series, names=["a", "b", "c"])
    found = discover(table, 2, method="pcmci", q=0.05)
    # b acts within the step: at lag 2, c is reached from a through it.
    assert {edge[:2] + edge[3:] for edge in found.graph.edges(found.names)} == {
        ("a", 2, "b"),
        ("a", 2, "c"),
    }
    assert found.info.n_windows == 600 - 4 - 5
    assert (found.scores[:, :, 0] == 0).all()
    now = discover(table, 2, method="pcmci", q=0.05, contemporaneous=True)
    assert ("b", 0, "o-o", "c") in now.graph.edges(now.names)
    assert now.table["source"][0] in ("a", "b")


def test_pcmci_plus(series):
    table = as_series_table(series, names=["a", "b", "c"])
    found = discover(table, 2, method="pcmci+", q=0.05)
    assert sorted(found.graph.edges(found.names)) == [("a", 2, "-->", "b"), ("b", 0, "-->", "c")]
    assert (found.info.q_value <= 1).all()


def test_lasso(series):
    table = as_series_table([series[:300], series[300:]], names=["a", "b", "c"])
    found = discover(table, 2, method="lasso")
    assert found.table[["source", "target", "lag"]][0].tolist() == ("a", "b", 2)
    assert (found.scores[np.asarray(found.graph.adjacency)] > 0).all()
    assert len(found.info.penalty) == 3
