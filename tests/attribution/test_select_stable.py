"""Votes of an ensemble: counted by hand, and the bound on false edges by simulation."""

import numpy as np
import pytest

from jaxcause import InputError
from jaxcause.attribution import select_global_top_k
from jaxcause.attribution._stable import select_stable
from jaxcause.graph import LaggedGraph

SHAPE = (3, 3, 3)


def votes(*counts, n_members=10):
    """Scores of members of which the first ``count`` keep the first, second, … lagged edge."""
    scores = np.zeros((n_members, *SHAPE))
    for place, count in enumerate(counts):
        scores[(slice(0, count), *divmod(place, 3), 1)] = 1.0
    return scores


def positive(scores):
    return LaggedGraph.from_mask(np.asarray(scores) > 0)


@pytest.mark.parametrize(("threshold", "kept"), [(0.7, 2), (0.71, 1), (0.3, 3), (1.0, 1)])
def test_edges_with_enough_votes_are_kept(threshold, kept):
    found = select_stable(votes(10, 7, 3), rule=positive, threshold=threshold)
    expected = np.zeros(SHAPE, bool)
    expected[0, :kept, 1] = True
    np.testing.assert_array_equal(found.graph.directed, expected)
    np.testing.assert_allclose(found.probability[0, :, 1], [1.0, 0.7, 0.3], rtol=1e-6)
    assert float(found.mean_selected) == pytest.approx(2.0)
    bound = 4 / 18 / (2 * threshold - 1) if threshold > 0.5 else np.inf
    assert float(found.expected_false) == pytest.approx(bound)


def test_the_bound_holds_for_members_that_err_independently():
    rng = np.random.default_rng(0)
    false, bounds = [], []
    for _ in range(10):
        scores = rng.random((20, *SHAPE))
        scores[:, 0, 0, 1] += 5
        found = select_stable(scores, rule=lambda s: select_global_top_k(s, 4), threshold=0.6)
        kept = np.array(found.graph.directed)
        assert kept[0, 0, 1]
        false.append(kept.sum() - 1)
        bounds.append(float(found.expected_false))
    assert np.mean(false) <= np.mean(bounds)
    assert max(bounds) < 5


def test_by_default_members_vote_by_the_empirical_null():
    rng = np.random.default_rng(0)
    scores = np.exp(rng.normal(size=(6, *SHAPE)))
    scores[:, 0, 1, 2] = 1e6
    scores[0, 2, 2, 1] = 1e6
    assert select_stable(scores).graph.edges() == [("X0", 2, "-->", "X1")]


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("scores", "threshold", "message"),
    [
        (np.ones(SHAPE), 0.7, "scores_by_member has shape"),
        (np.ones((0, *SHAPE)), 0.7, "scores_by_member has shape"),
        (np.ones((2, *SHAPE)), 0.0, "threshold=0"),
        (np.ones((2, *SHAPE)), 1.2, "threshold=1.2"),
        (-np.ones((2, *SHAPE)), 0.7, "negative"),
    ],
)
def test_bad_input_is_named(scores, threshold, message):
    with pytest.raises(InputError, match=message):
        select_stable(scores, threshold=threshold)
