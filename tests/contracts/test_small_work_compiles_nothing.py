"""Small work on numpy arrays compiles nothing, and its results are those of XLA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxcause as jc
from jaxcause import metrics, stats
from jaxcause.discovery import lagged_correlation
from jaxcause.stats._ranks import mid_ranks
from jaxcause.stats._regression import lasso
from jaxcause.stats._tails import erfc, ndtri, student_p_value

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)) @ RNG.normal(size=(4, 4))
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
CORR = np.corrcoef(X.T)
INDEFINITE = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
P = np.where(RNG.random((5, 6)) < 0.2, np.nan, RNG.random((5, 6)) ** 3)
SCORES = RNG.exponential(size=(4, 4, 3)).round(1)
TRUTH = np.zeros((4, 4, 3), bool)
TRUTH[RNG.random(TRUTH.shape) < 0.3] = True
TRUTH[:, :, 0] = False
FOUND = TRUTH ^ (RNG.random(TRUTH.shape) < 0.1)
FOUND[:, :, 0] = False

EITHER = {
    "correlation_matrix": (stats.correlation_matrix, X),
    "pairwise_correlation": (stats.pairwise_correlation, HOLES),
    "spearman": (lambda x: stats.rank_correlation(x, method="spearman"), X.round(1)),
    "normal_scores": (stats.rank_correlation, X.round(1)),
    "ranks": (mid_ranks, X.round(0)),
    "shrinkage_intensity": (stats.shrinkage_intensity, X),
    "shrink_correlation": (lambda r: stats.shrink_correlation(r, 0.3), CORR),
    "is_singular": (stats.is_singular, np.stack([CORR, np.ones((4, 4))])),
    "singular_pairs": (stats.singular_pairs, np.ones((3, 3))),
    "clip_eigenvalues": (stats.clip_eigenvalues, np.stack([INDEFINITE, np.eye(3)])),
    "fisher_z": (stats.fisher_z_p_value, np.linspace(-1, 1, 9), np.full(9, 20)),
    "erfc": (erfc, np.linspace(-6, 20, 50)),
    "ndtri": (ndtri, np.arange(1, 40) / 40),
    "benjamini_hochberg": (stats.benjamini_hochberg, P),
    "benjamini_yekutieli": (stats.benjamini_yekutieli, P),
    "precision_recall": (metrics.precision_recall, FOUND, TRUTH),
    "shd": (metrics.shd, FOUND, TRUTH),
    "auroc": (metrics.auroc, SCORES, TRUTH),
    "auprc": (metrics.auprc, SCORES, TRUTH),
    "f1_at_k": (lambda s, t: metrics.f1_at_k(s, t, 2), SCORES, TRUTH),
    "f1_at_true_number": (metrics.f1_at_true_number, SCORES, TRUTH),
    "false_discovery": (metrics.false_discovery_proportion, FOUND, TRUTH),
}


@pytest.fixture
def compiled():
    """Names of what was compiled since the test began; nothing from before is remembered."""
    jax.clear_caches()
    programs = []

    def note(event, _, **details):
        if event == "/jax/core/compile/backend_compile_duration":
            programs.append(details.get("fun_name"))

    jax.monitoring.register_event_duration_secs_listener(note)
    yield programs
    jax.monitoring.unregister_event_duration_listener(note)


@pytest.mark.parametrize("name", EITHER)
def test_numpy_compiles_nothing_and_says_what_xla_says(name, compiled):
    function, *arrays = EITHER[name]
    on_host = function(*arrays)
    assert compiled == []
    with jax.enable_x64(True):
        in_xla = function(*map(jnp.asarray, arrays))
    ours, theirs = jax.tree.leaves(on_host), jax.tree.leaves(in_xla)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert isinstance(a, np.ndarray)
        assert a.shape == b.shape
        if a.dtype.kind in "bi":
            np.testing.assert_array_equal(a, b)
        else:
            # Of masks alone, JAX makes single precision.
            close = 1e-12 if b.dtype == np.float64 else 1e-6
            np.testing.assert_allclose(a, b, rtol=close, atol=close)


SERIES = RNG.normal(size=(200, 3))
SERIES[1:, 1] += 0.8 * SERIES[:-1, 0]
CALLS = {
    "var": lambda: jc.discover(SERIES, 2, method="var"),
    "lasso": lambda: jc.discover(SERIES, 2, method="lasso"),
    "select_fdr": lambda: jc.attribution.select_fdr(SCORES + 0.1),
    "select_fdr alone": lambda: jc.attribution.select_fdr(np.exp(RNG.normal(size=(2, 2, 3)))),
    "select_threshold": lambda: jc.attribution.select_threshold(SCORES),
    "select_top_k": lambda: jc.attribution.select_top_k(SCORES, 2),
    "from data": lambda: jc.partial_correlation_test_from_data(X, shrinkage="auto"),
    "from holes": lambda: jc.partial_correlation_test_from_data(HOLES, missing="pairwise"),
    "from ranks": lambda: jc.stats.rank_correlation_test_from_data(X),
    "lagged_correlation": lambda: lagged_correlation(SERIES, np.arange(190), max_lag=2),
    "graph": lambda: jc.LaggedGraph.from_mask(TRUTH).summary(),
    "dag": lambda: jc.CausalGraph.from_dag(np.triu(np.ones((3, 3), bool), 1)).directed,
    "graphs compared": lambda: metrics.shd(
        jc.LaggedGraph.from_mask(FOUND), jc.LaggedGraph.from_mask(TRUTH)
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_small_calls_compile_nothing(name, compiled):
    CALLS[name]()
    assert compiled == []


@pytest.mark.parametrize("method", ["bh", "by"])
def test_q_values_compile_nothing(method, compiled):
    found = jc.pc(jc.partial_correlation_test_from_data(X))
    compiled.clear()
    found.q_values(method)
    assert compiled == []


@pytest.mark.parametrize("degrees", [0.5, 1, 2, 3, 10, 47, 48, 49, 500, 50_000])
def test_the_tail_of_students_t(degrees):
    t = np.concatenate([np.linspace(0, 5, 40), np.geomspace(1e-6, 1e6, 60)])
    expected = 2 * scipy.stats.t.sf(t, degrees)
    if degrees == 1:
        expected = 2 / np.pi * np.arctan2(1, t)
    if degrees == 2:
        expected = 2 / (2 + t**2 + t * np.sqrt(2 + t**2))
    kept = expected > 1e-290
    np.testing.assert_allclose(student_p_value(t, degrees)[kept], expected[kept], rtol=1e-12)
    assert np.isnan(student_p_value(np.array([np.nan]), degrees)).all()
    assert student_p_value(np.array([-np.inf, np.inf]), degrees).tolist() == [0, 0]


def test_the_path_of_the_lasso_is_the_same_in_numpy_and_compiled():
    gram, cross = CORR, RNG.normal(size=(4, 3))
    penalties = np.geomspace(1, 1e-3, 10)[:, None] * np.abs(cross).max(axis=0)
    rest = (np.ones(cross.shape), np.zeros(cross.shape), 1e-10, 5000)
    with jax.enable_x64(True):
        ours = lasso._path.formula(gram, cross, penalties, *rest)
        theirs = lasso._path.compiled(gram, cross, penalties, *rest)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_marks_of_a_graph_are_a_copy_that_cannot_be_written():
    given = np.array([[0, 2], [3, 0]])
    graph = jc.CausalGraph(given)
    given[0, 1] = 3
    assert graph.edges() == [("0", "-->", "1")]
    with pytest.raises(ValueError, match="read-only"):
        graph.marks[0, 1] = 3
