"""Masks that pick nodes or rows are boolean, since numbers may be positions; links may be 0, 1."""

import numpy as np
import pytest

import jaxcause as jc
from jaxcause import InputError
from jaxcause.discovery import pcmci, pcmci_plus, refine
from jaxcause.graph import CausalGraph, LaggedGraph
from jaxcause.models.forecaster.params import with_allowed, with_screened
from jaxcause.series import find_regimes
from jaxcause.stats import fit_var

N, ROWS = 4, 60
VALUES = np.random.default_rng(0).normal(size=(ROWS, N))
ATTENTION = np.tril(np.ones((N, N))) + np.eye(N)
EVERY = np.ones((N, N, 2), bool)
TEST = jc.partial_correlation_test_from_data(VALUES)
GRAPH = CausalGraph.from_dag(np.triu(np.ones((N, N), bool), 1))
LAGGED = LaggedGraph.from_mask(EVERY & np.array([False, True]))


def refuses(removed):
    return np.zeros(len(removed), bool)


PICKS = {
    "abcd": (N, lambda mask: jc.attention.abcd(ATTENTION, 90, node_mask=mask)),
    "correlation": (N, lambda mask: jc.attention.correlation(ATTENTION, node_mask=mask)),
    "cleann": (N, lambda mask: jc.attention.cleann(GRAPH, 3, refuses, removable=mask)),
    "pc": (N, lambda mask: jc.pc(TEST, node_mask=mask)),
    "fci": (N, lambda mask: jc.fci(TEST, node_mask=mask)),
    "icd": (N, lambda mask: jc.icd(TEST, node_mask=mask)),
    "refine": (ROWS, lambda mask: refine(LAGGED, VALUES, latents=False, targets=mask)),
    "find_regimes": (ROWS, lambda mask: find_regimes(VALUES, max_lag=1, targets=mask)),
    "discover": (ROWS, lambda mask: jc.discover(VALUES, 1, method="var", mask=mask)),
}


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("what", PICKS)
@pytest.mark.parametrize(
    "given", [np.arange, lambda n: np.ones(n), lambda n: np.ones(n, np.int8), lambda n: [1] * n]
)
def test_a_mask_that_picks_is_boolean(what, given):
    n, call = PICKS[what]
    with pytest.raises(InputError, match="boolean"):
        call(given(n))
    call(np.ones(n, bool))
    call([True] * n)


CORR = np.eye(3 * N)
LINKS = {
    "from_mask": lambda links: LaggedGraph.from_mask(links * np.array([0, 1], links.dtype)),
    "pcmci": lambda links: pcmci(CORR, 90, n_vars=N, allowed=links),
    "pcmci_plus": lambda links: pcmci_plus(CORR, 90, n_vars=N, allowed=links),
    "fit_var": lambda links: fit_var(VALUES, np.arange(ROWS - 1), max_lag=1, allowed=links),
    "with_allowed": lambda links: with_allowed({"logits": np.zeros((1, N, 1, N))}, links),
    "with_screened": lambda links: with_screened({"logits": np.zeros((1, N, 1, N))}, links),
}


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("what", LINKS)
def test_links_are_booleans_or_0_and_1(what):
    LINKS[what](EVERY)
    LINKS[what](EVERY.astype(int))
    with pytest.raises(InputError, match="holds values other than 0 and 1"):
        LINKS[what](EVERY * np.array([2, 2]) | np.array([0, 2]))
