import itertools

import hypothesis
import hypothesis.strategies as st
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


KINDS = ("float64", "float32", "float16", "bfloat16", "int64", "uint8", "bool", "list")


@hypothesis.given(
    st.data(),
    st.integers(2, 5),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(KINDS),
    st.sampled_from([np.asarray, jax.numpy.asarray]),
)
@hypothesis.settings(max_examples=60, deadline=None)
def test_only_the_order_of_scores_counts(data, n, n_kinds, diagonal, kind, engine):
    """Few small whole numbers, with many ties, stand for any scores of the same order."""
    draw = data.draw(st.lists(st.integers(0, n_kinds), min_size=2 * n * n, max_size=2 * n * n))
    order = np.array(draw[: n * n]).reshape(n, n)
    truth = np.array(draw[n * n :]).reshape(n, n) == 0
    # -inf, some numbers and inf in the place of the smallest, the others and the largest.
    infinite = np.where(order == 0, -np.inf, np.where(order == n_kinds, np.inf, 10.0**order))
    if kind == "list":
        scores, known = order.tolist(), truth.astype(int).tolist()
    elif kind == "bool":
        order = np.minimum(order, 1)
        scores, known = engine(order.astype(bool)), engine(truth.astype(np.float32))
    elif "float" in kind:
        scores, known = engine(infinite.astype(jax.numpy.dtype(kind))), engine(truth)
    else:
        scores, known = engine(order.astype(kind)), engine(truth.astype(np.int32))
    counts = (diagonal | ~np.eye(n, dtype=bool)).ravel()
    y, score = truth.ravel()[counts], order.ravel()[counts]
    n_true = int(y.sum())
    options = {"diagonal": diagonal}
    area, average, f1 = (
        float(measure(scores, known, **options))
        for measure in (metrics.auroc, metrics.auprc, metrics.f1_at_true_number)
    )
    if 0 < n_true < y.size:
        assert area == pytest.approx(sklearn.metrics.roc_auc_score(y, score), abs=1e-6)
    if n_true:
        expected = sklearn.metrics.average_precision_score(y, score)
        assert average == pytest.approx(expected, abs=1e-6)
        best = np.argsort(-score, kind="stable")[:n_true]
        assert f1 == pytest.approx(y[best].mean(), abs=1e-6)
    lagged, with_lag = np.zeros((2, n, n, 2))
    lagged[:, :, 1], with_lag[:, :, 1] = infinite, truth
    plain = lagged.copy()
    plain[:, :, 1] = order
    assert (
        float(metrics.f1_at_k(lagged, with_lag, 1)) == float(metrics.f1_at_k(plain, with_lag, 1))
        or kind == "bool"
    )


MEASURES = (metrics.auroc, metrics.auprc, metrics.f1_at_true_number)


@pytest.mark.parametrize("measure", [*MEASURES, lambda s, t: metrics.f1_at_k(s, t, 1)])
def test_scores_that_are_nan_are_refused_or_give_nan(measure):
    truth = np.zeros((2, 2, 2), bool)
    truth[0, 1, 1] = True
    scores = np.arange(8.0).reshape(2, 2, 2)
    scores[:, :, 0] = np.nan  # lag 0 is left out
    assert float(measure(scores, truth)) >= 0
    compiled = jax.jit(measure)
    assert float(compiled(scores, truth)) == pytest.approx(float(measure(scores, truth)))
    scores[1, 0, 1] = np.nan
    for given in (scores, jax.numpy.asarray(scores)):
        with pytest.raises(InputError, match="scores hold NaN 1 times"):
            measure(given, truth)
    assert np.isnan(compiled(scores, truth))


@pytest.mark.parametrize("measure", MEASURES)
def test_the_diagonal_may_be_nan_where_it_is_left_out(measure):
    scores = np.array([[np.nan, 2.0], [1.0, np.nan]])
    truth = np.array([[0, 1], [0, 0]], bool)
    assert float(measure(scores, truth, diagonal=False)) == 1.0
    assert float(jax.jit(lambda s: measure(s, truth, diagonal=False))(scores)) == 1.0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("engine", [np.asarray, jax.numpy.asarray])
def test_half_precision_holds_the_counts_of_many_edges(dtype, engine):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(80, 80)).astype(jax.numpy.dtype(dtype))
    truth = rng.random((80, 80)) < 0.3
    wide = scores.astype(np.float64).ravel()
    area = float(metrics.auroc(engine(scores), engine(truth)))
    assert area == pytest.approx(sklearn.metrics.roc_auc_score(truth.ravel(), wide), abs=1e-5)


@pytest.mark.usefixtures("untyped")
def test_what_is_no_mask_and_no_score_is_refused():
    truth, half = np.eye(3, dtype=bool), np.full((3, 3), 0.5)
    for compare in (metrics.precision_recall, metrics.shd, metrics.false_discovery_proportion):
        with pytest.raises(InputError, match=r"estimate holds 0\.5, but edges are True and False"):
            compare(half, truth)
        with pytest.raises(InputError, match=r"truth holds 0\.5"):
            compare(truth, half)
        assert float(np.ravel(compare(truth.astype(float), truth.tolist()))[0]) == float(
            np.ravel(compare(truth, truth))[0]
        )
    with pytest.raises(InputError, match="scores is an array of <U1"):
        metrics.auroc([["a", "b"], ["c", "d"]], [[0, 1], [0, 0]])
    with pytest.raises(InputError, match="scores is no array"):
        metrics.auroc([[1, 2], [3]], [[0, 1], [0, 0]])
    with pytest.raises(InputError, match=r"truth has shape \(3,\)"):
        metrics.auroc(half, [0, 1, 0])
    with pytest.raises(InputError, match=r"must be \[source, target, lag\]"):
        metrics.f1_at_k(half, truth, 1)
