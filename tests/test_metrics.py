import itertools

import jax
import numpy as np
import pytest
import sklearn.metrics

from jaxcause import CausalGraph, InputError, LaggedGraph, metrics
from jaxcause.graph import dag_to_cpdag


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


@pytest.mark.parametrize("summary", [False, True])
@pytest.mark.parametrize("diagonal", [False, True])
def test_f1_at_the_true_number_keeps_that_many_edges(summary, diagonal):
    truth, _, _ = case(4)
    scores = np.random.default_rng(1).random(truth.shape)
    known = truth.any(2) if summary else truth
    score = scores[:, :, 1:].max(2) if summary else np.where(np.arange(4) > 0, scores, -1)
    off = np.eye(5, dtype=bool) & (not diagonal)
    score, known = (a.copy() for a in (score, known))
    score[off], known[off] = -1, False
    kept = score >= np.sort(score.ravel())[-known.sum()]
    expected = metrics.precision_recall(kept, known).f1
    got = metrics.f1_at_true_number(scores, truth, summary=summary, diagonal=diagonal)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_false_discovery_proportion_is_zero_where_nothing_is_found():
    truth, estimate, _ = case(5)
    fdp = metrics.false_discovery_proportion(estimate, truth)
    expected = (estimate & ~truth).sum() / estimate.sum()
    np.testing.assert_allclose(fdp, expected, rtol=1e-6)
    assert float(metrics.false_discovery_proportion(np.zeros_like(truth), truth)) == 0.0


def random_marks(seed, n=4, lags=2):
    """Edges of every kind; lag 0 stands from both ends."""
    rng = np.random.default_rng(seed)
    kinds = np.array([[0, 0], [0, 0], [3, 2], [2, 2], [1, 2], [1, 1]])
    marks = kinds[rng.integers(0, 6, (n, n, lags + 1))]
    for i in range(n):
        marks[i, i, 0] = 0
        for j in range(i):
            marks[i, j, 0] = marks[j, i, 0][::-1]
    return LaggedGraph(marks)


@pytest.mark.parametrize("lags", ["all", "lagged", "contemporaneous"])
@pytest.mark.parametrize("kind", ["any", "directed", "bidirected", "adjacent"])
def test_marked_edges_are_compared_as_listed(kind, lags):
    def listed(graph):
        wanted = {"directed": {"-->"}, "bidirected": {"<->"}}.get(kind)
        return {
            (source, lag, symbol if kind != "adjacent" else "", target)
            for source, lag, symbol, target in graph.edges()
            if (wanted is None or symbol in wanted)
            and {"all": True, "lagged": lag > 0, "contemporaneous": lag == 0}[lags]
        }

    def undirected(edges):
        return {(*sorted((a, b)), lag, s) if lag == 0 else (a, b, lag, s) for a, lag, s, b in edges}

    for seed in range(3):
        ours, theirs = random_marks(seed), random_marks(seed + 10)
        found, known = listed(ours), listed(theirs)
        if kind == "adjacent":
            found, known = undirected(found), undirected(known)
        hits = len(found & known)
        expected = hits / max(1, len(found)), hits / max(1, len(known))
        expected += (2 * hits / max(1, len(found) + len(known)),)
        got = metrics.marked_precision_recall(ours, theirs, kind=kind, lags=lags)
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    with pytest.raises(InputError, match="choose one of any"):
        metrics.marked_precision_recall(ours, theirs, kind="all")


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


def test_an_edge_in_conflict_is_an_adjacency_with_marks_of_its_own():
    hidden, conflict = (CausalGraph(np.array([[0, mark], [mark, 0]])) for mark in (2, 4))
    assert int(metrics.shd(conflict, conflict)) == 0
    assert int(metrics.shd(conflict, hidden)) == 1
    assert metrics.precision_recall(conflict, conflict).f1 == 0
    marks = np.zeros((2, 2, 1, 2), np.int8)
    marks[0, 1, 0] = marks[1, 0, 0] = 4
    found, truth = LaggedGraph(marks), LaggedGraph(np.where(marks == 4, 2, 0))
    scores = {
        kind: float(metrics.marked_precision_recall(found, truth, kind=kind).f1)
        for kind in ("any", "adjacent", "bidirected", "directed")
    }
    assert scores == {"any": 0, "adjacent": 1, "bidirected": 0, "directed": 0}
    assert float(metrics.marked_precision_recall(found, found, kind="any").f1) == 1


@pytest.mark.parametrize("seed", range(30))
def test_a_cpdag_and_each_dag_of_its_class_are_at_distance_0(seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(5)
    dag = np.triu(rng.random((5, 5)) < 0.5, 1)[np.ix_(order, order)]
    cpdag = dag_to_cpdag(dag)
    graph = CausalGraph.from_dag(dag)
    one, other, became = metrics.as_cpdags(cpdag, graph)
    assert int(metrics.shd(one, other)) == 0
    assert int(metrics.shd(*metrics.as_cpdags(graph, cpdag)[:2])) == 0
    undirected = (np.asarray(cpdag.marks) == 3) & (np.asarray(cpdag.marks).T == 3)
    assert became == ("truth" if undirected.any() else None)
    assert metrics.as_cpdags(graph, graph) == (graph, graph, None)


def test_graphs_of_other_kinds_stay_as_they_are():
    dag = CausalGraph.from_dag(np.array([[0, 1], [0, 0]], bool))
    for mark in (1, 2):
        other = CausalGraph(np.array([[0, mark], [mark, 0]]))
        assert metrics.as_cpdags(other, dag) == (other, dag, None)
    with pytest.raises(InputError, match="estimate is a batch"):
        metrics.as_cpdags(CausalGraph(np.zeros((2, 3, 3), int)), dag)
