import itertools

import jax
import numpy as np
import pytest
import sklearn.metrics

from jaxcause import CausalGraph, InputError, LaggedGraph, metrics


def case(seed, n=5, lags=3):
    rng = np.random.default_rng(seed)
    truth, estimate = (rng.random((n, n, lags + 1)) < 0.3 for _ in range(2))
    truth[:, :, 0] = estimate[:, :, 0] = False
    scores = rng.integers(0, 6, truth.shape) + 2.0 * truth
    return truth, estimate, scores


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("summary", [False, True])
@pytest.mark.parametrize("diagonal", [False, True])
def test_measures_equal_scikit_learn(seed, summary, diagonal):
    truth, estimate, scores = case(seed)
    options = {"summary": summary, "diagonal": diagonal}
    if summary:
        flat = [truth.any(2), estimate.any(2), scores[:, :, 1:].max(2)]
    else:
        flat = [truth[:, :, 1:], estimate[:, :, 1:], scores[:, :, 1:]]
    off = diagonal | ~np.eye(5, dtype=bool)
    known, found, score = (a[off].ravel() for a in flat)
    ours = metrics.precision_recall(LaggedGraph.from_mask(estimate), truth, **options)
    theirs = sklearn.metrics.precision_recall_fscore_support(known, found, average="binary")
    np.testing.assert_allclose(ours, theirs[:3], rtol=1e-6)
    area = sklearn.metrics.roc_auc_score(known, score)
    np.testing.assert_allclose(metrics.auroc(scores, truth, **options), area, rtol=1e-6)
    average = sklearn.metrics.average_precision_score(known, score)
    np.testing.assert_allclose(metrics.auprc(scores, truth, **options), average, rtol=1e-6)


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    truth, _, scores = case(7)
    edges, others = scores[truth], scores[~truth & (np.arange(4) > 0)]
    wins = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(edges, others)]
    np.testing.assert_allclose(metrics.auroc(scores, truth), np.mean(wins), rtol=1e-6)


def test_shd_counts_pairs_of_a_graph_and_edges_of_a_series():
    a = CausalGraph(np.array([[0, 2, 0], [3, 0, 2], [0, 3, 0]]))
    b = CausalGraph(np.array([[0, 3, 0], [2, 0, 0], [0, 0, 0]]))
    assert int(metrics.shd(a, b)) == 2
    assert int(metrics.shd(a, a)) == 0
    truth, estimate, _ = case(1)
    graphs = LaggedGraph.from_mask(estimate), LaggedGraph.from_mask(truth)
    assert int(metrics.shd(*graphs)) == (truth != estimate).sum()
    off = ~np.eye(5, dtype=bool)[:, :, None]
    assert int(metrics.shd(*graphs, diagonal=False)) == ((truth != estimate) & off).sum()
    differs = truth.any(2) != estimate.any(2)
    assert int(metrics.shd(*graphs, summary=True)) == np.triu(differs | differs.T).sum()


def test_f1_at_k_keeps_k_parents_of_each_target():
    truth, _, _ = case(2)
    for k in (1, 3):
        kept = np.zeros_like(truth)
        scores = np.random.default_rng(0).random(truth.shape)
        for target in range(5):
            best = np.argsort(-scores[:, target, 1:].ravel())[:k]
            kept[best // 3, target, 1 + best % 3] = True
        expected = metrics.precision_recall(kept, truth).f1
        np.testing.assert_allclose(metrics.f1_at_k(scores, truth, k), expected, rtol=1e-6)


def test_nothing_found_is_zero_and_not_nan():
    empty = np.zeros((3, 3), bool)
    assert [float(v) for v in metrics.precision_recall(empty, empty)] == [0.0, 0.0, 0.0]
    assert float(metrics.auroc(np.zeros((3, 3)), empty)) == 0.0


def test_measures_work_under_jit_and_vmap():
    cases = [case(s) for s in range(3)]
    truth, scores = (np.stack([c[k] for c in cases]) for k in (0, 2))
    together = jax.jit(jax.vmap(metrics.auprc))(scores, truth)
    alone = [float(metrics.auprc(s, t)) for s, t in zip(scores, truth, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_graphs_of_different_sizes_are_refused():
    with pytest.raises(InputError, match="compare graphs of one size"):
        metrics.shd(np.zeros((2, 2), bool), np.zeros((3, 3), bool))
