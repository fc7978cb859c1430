"""The linear methods on a table: PCMCI, PCMCI+ and the lasso."""

import numpy as np
import pytest
from jaxcause.workflows._discover.methods.linear import discover_lasso, discover_pcmci

from jaxcause.series import as_series_table

SEARCH = {
    "max_lag": 2,
    "q": 0.05,
    "alpha": None,
    "max_cond_size": None,
    "contemporaneous": False,
    "transform": "standardise",
}


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
    found = discover_pcmci(table, **SEARCH)
    # b acts within the step: at lag 2, c is reached from a through it.
    assert {edge[:2] + edge[3:] for edge in found.graph.edges(found.names)} == {
        ("a", 2, "b"),
        ("a", 2, "c"),
    }
    assert found.info.n_windows == 600 - 4 - 5
    assert (found.scores[:, :, 0] == 0).all()
    now = discover_pcmci(table, **(SEARCH | {"contemporaneous": True}))
    assert ("b", 0, "o-o", "c") in now.graph.edges(now.names)
    assert now.table["source"][0] in ("a", "b")


def test_pcmci_plus(series):
    table = as_series_table(series, names=["a", "b", "c"])
    found = discover_pcmci(table, **SEARCH, plus=True)
    assert sorted(found.graph.edges(found.names)) == [("a", 2, "-->", "b"), ("b", 0, "-->", "c")]
    assert (found.info.q_value <= 1).all()


def test_lasso(series):
    table = as_series_table([series[:300], series[300:]], names=["a", "b", "c"])
    found = discover_lasso(table, max_lag=2, held_out=0.2, transform="standardise")
    assert found.table[["source", "target", "lag"]][0].tolist() == ("a", "b", 2)
    assert (found.scores[np.asarray(found.graph.adjacency)] > 0).all()
    assert len(found.info.penalty) == 3
