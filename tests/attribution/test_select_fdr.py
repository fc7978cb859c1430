"""The empirical null: against formulas, against an optimiser, and how often it errs."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from typechecker import tolerance

from jaxcause import InputError
from jaxcause.attribution import empirical_null, evidence_null, select_fdr
from jaxcause.attribution._empirical_null import fit_mixture
from jaxcause.attribution._select import separation_of_links
from jaxcause.stats import benjamini_hochberg, lagged_q_values


def mixed(seed=0, n=6, lags=4, share=0.15, distance=4.0, spread=0.5, shifts=0.0):
    """Scores with edges that stand ``distance`` scales above the non-edges, and the truth."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, n, lags))
    truth = np.zeros(z.size, bool)
    truth[rng.choice(z.size, int(share * z.size), replace=False)] = True
    truth = truth.reshape(z.shape)
    z = np.where(truth, distance + spread * z, z) + shifts * rng.normal(size=(1, n, 1))
    scores = np.zeros((n, n, lags + 1))
    scores[:, :, 1:] = np.exp(2 * 0.6 * z - 3)
    return scores, np.concatenate([np.zeros((n, n, 1), bool), truth], axis=2)


def found_in(scores, q=0.1, **options):
    """What `select_fdr` keeps, without the core's compilation for every shape."""
    test = empirical_null(scores, **options)
    return (np.asarray(test.q_value) <= q) & (np.asarray(test.local_fdr) <= 0.5)


def test_edges_are_what_q_values_and_local_rates_allow():
    scores, truth = mixed(distance=3.0)
    for q in (0.05, 0.3):
        np.testing.assert_array_equal(select_fdr(scores, q=q).directed, found_in(scores, q))
    allowed = np.roll(truth, 1, axis=0) | truth
    np.testing.assert_array_equal(
        select_fdr(scores, candidates=allowed).directed, found_in(scores, candidates=allowed)
    )


def test_the_mixture_is_as_likely_as_the_best_an_optimiser_finds():
    scores, _ = mixed(n=8, spread=0.9)
    x = np.log(scores[:, :, 1:]).ravel()

    def unlikely(p):
        null = scipy.stats.norm.logpdf(x, p[0], np.exp(p[1])) - np.logaddexp(0, p[4])
        edge = scipy.stats.norm.logpdf(x, p[2], np.exp(p[3])) - np.logaddexp(0, -p[4])
        return -np.logaddexp(null, edge).sum()

    start = [np.median(x), 0.0, np.quantile(x, 0.95), 0.0, -2.0]
    best = scipy.optimize.minimize(unlikely, start, method="Nelder-Mead", options={"maxiter": 4000})
    ours = fit_mixture(x)
    assert ours is not None
    share = ours.edge_share
    log_odds = np.log(share / (1 - share))
    own = [ours.null_mean, np.log(ours.null_scale), ours.edge_mean, np.log(ours.edge_scale)]
    assert unlikely([*own, log_odds]) <= best.fun + 0.05
    np.testing.assert_allclose([*own, log_odds], best.x, atol=0.05)


def test_p_and_local_rates_equal_their_formulas():
    scores, _ = mixed()
    scores[:, :, 1:] = scores[:, :, 1:][:, :1]  # targets alike, so that none is shifted
    z = 0.5 * np.log(scores[:, :, 1:])
    null_mean, null_scale, edge_mean, edge_scale, share = fit_mixture(z.ravel())
    test = empirical_null(scores)
    assert test.separation == pytest.approx((edge_mean - null_mean) / null_scale, rel=1e-3)
    p = scipy.stats.norm.sf((z - null_mean) / null_scale)
    q = scipy.stats.false_discovery_control(p, axis=None).reshape(p.shape)
    null = (1 - share) * scipy.stats.norm.pdf(z, null_mean, null_scale)
    edge = share * scipy.stats.norm.pdf(z, edge_mean, edge_scale)
    for ours, theirs in zip(
        test[:3], (p, q, np.where(z < null_mean, 1.0, null / (null + edge))), strict=True
    ):
        np.testing.assert_allclose(
            ours[:, :, 1:], theirs, rtol=tolerance(1e-6, 1e-3), atol=tolerance(1e-9, 1e-6)
        )
        assert (np.asarray(ours)[:, :, 0] == 1).all()


def test_without_a_group_of_edges_p_is_a_tail_of_students_t():
    scores, _ = mixed(share=0.0, n=4)
    scores[:, :, 1:] = scores[:, :, 1:][:, :1]
    z = 0.5 * np.log(scores[:, :, 1:]).ravel()
    assert fit_mixture(z) is None
    centre = np.median(z)
    below = centre - z[z <= centre]
    scale = max(1.4826 * np.median(below), np.sqrt((below**2).mean()))
    t = (z - centre) / scale / np.sqrt(1 + np.pi / 2 / z.size)
    test = empirical_null(scores)
    expected = scipy.stats.t.sf(t, z.size / 2)
    ours = np.asarray(test.p_value)[:, :, 1:].ravel()
    above = z > centre - 2 * scale
    np.testing.assert_allclose(ours[above], expected[above], rtol=tolerance(1e-9, 1e-4))
    assert (np.asarray(test.local_fdr)[:, :, 1:] == 0).all()


def test_the_unit_of_the_scores_does_not_matter():
    scores, _ = mixed(shifts=0.3)
    one, other = empirical_null(scores), empirical_null(1e-12 * scores)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance(1e-6, 1e-2), atol=tolerance(1e-9, 1e-4))


def test_targets_are_shifted_by_their_own_noise():
    scores, truth = mixed(n=10, lags=6, share=0.05, distance=5.0, shifts=1.0)
    found = found_in(scores)
    assert (found & ~truth).sum() <= 2
    assert (found & truth).sum() >= 0.9 * truth.sum()
    p = np.asarray(empirical_null(scores).p_value)[:, :, 1:]
    medians = [np.median(p[:, i][~truth[:, i, 1:]]) for i in range(10)]
    assert max(medians) - min(medians) < 0.35  # .85 where targets are not shifted


@pytest.mark.parametrize(("n", "lags"), [(3, 2), (5, 3), (10, 5)])
@pytest.mark.parametrize("shifts", [0.0, 0.3])
def test_where_nothing_is_an_edge_seldom_one_is_found(n, lags, shifts):
    seeds = range(40)
    erred = sum(found_in(mixed(s, n, lags, 0.0, shifts=shifts)[0]).any() for s in seeds)
    # 1.5 times q, and two standard errors for so few systems.
    assert erred / len(seeds) <= 0.15 + 2 * np.sqrt(0.15 * 0.85 / len(seeds))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.35])
@pytest.mark.parametrize("distance", [3.5, 6.0])
def test_the_share_of_false_edges_is_below_q_and_most_edges_are_found(share, distance):
    false, power = [], []
    for seed in range(12):
        scores, truth = mixed(seed, 10, 5, share, distance, shifts=0.3)
        found = found_in(scores)
        false.append((found & ~truth).sum() / max(found.sum(), 1))
        power.append((found & truth).sum() / truth.sum())
    assert np.mean(false) <= 0.12
    assert np.mean(power) >= (0.97 if distance == 6.0 else 0.45)


def test_half_normal_coefficients_have_a_long_tail_to_the_left():
    rng = np.random.default_rng(0)
    false = power = 0.0
    for _ in range(10):
        z = rng.normal(size=(8, 8, 6))
        truth = np.zeros(z.shape, bool)
        truth[:, :, 1:] = rng.random((8, 8, 5)) < 0.06
        found = found_in(np.where(truth, z + 20, z) ** 2)
        false += (found & ~truth).sum() / max(found.sum(), 1) / 10
        power += (found & truth).sum() / truth.sum() / 10
    assert false <= 0.1
    assert power >= 0.9


def test_the_strongest_edge_of_all_is_one_however_far_out():
    scores, truth = mixed(n=8, spread=0.2)
    first = tuple(np.argwhere(truth)[0])
    scores[first] = scores.max() * 1e9
    test = empirical_null(scores)
    assert found_in(scores)[first]
    by_score = np.asarray(test.local_fdr)[:, :, 1:].ravel()
    z = np.log(scores[:, :, 1:]).ravel()  # no shifts, so the order is that of the scores
    assert by_score[np.argmax(z)] < 0.01


def test_exact_zeros_are_no_edges():
    scores = np.zeros((3, 3, 3))
    scores[0, 1, 2] = 1.0
    assert select_fdr(scores).edges() == [("X0", 2, "-->", "X1")]
    assert select_fdr(np.zeros((3, 3, 3))).edges() == []
    assert select_fdr(np.ones((3, 3, 3))).edges() == []
    scores, truth = mixed(distance=6.0)
    scores[~truth & (np.random.default_rng(1).random(truth.shape) < 0.3)] = 0
    assert (found_in(scores) == truth).all()


def test_what_is_no_candidate_is_not_tested():
    scores, truth = mixed(n=8, distance=6.0)
    allowed = np.random.default_rng(1).random(truth.shape) < 0.6
    within = found_in(scores, candidates=allowed)
    assert not within[~allowed].any()
    np.testing.assert_array_equal(within, truth & allowed)
    # Scores of zero where nothing may be are no sign that all others are edges.
    scores[~allowed] = 0
    np.testing.assert_array_equal(found_in(scores, candidates=allowed), within)


def test_many_candidates_are_condensed_to_the_same_null():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200_000)
    x[:150] += 7
    fitted = fit_mixture(x)
    assert fitted is not None
    assert abs(fitted.null_mean) < 0.02
    assert abs(fitted.null_scale - 1) < 0.02
    assert 100 <= fitted.edge_share * x.size <= 250


def test_the_type_follows_the_scores():
    scores, truth = mixed(distance=6.0)
    test = empirical_null(jnp.asarray(scores, jnp.float32))
    assert all(part.dtype == jnp.float32 for part in test[:3])
    assert (found_in(jnp.asarray(scores, jnp.float32)) == truth).all()


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    "candidates", [np.ones((2, 2, 2)), np.ones((2, 2, 3), bool), np.ones((2, 2), bool)]
)
def test_candidates_of_the_wrong_shape_are_named(candidates):
    with pytest.raises(InputError, match="candidates has shape"):
        select_fdr(np.ones((2, 2, 2)), candidates=candidates)


def standing_out(seed, n_edges, size=9.0, n=6, lags=3):
    """Half-normal evidence, of some links between variables ``size`` standard errors more."""
    rng = np.random.default_rng(seed)
    evidence = np.abs(rng.normal(size=(n, n, lags + 1)))
    links = [(i, j) for i in range(n) for j in range(n) if i != j]
    truth = np.zeros(evidence.shape, bool)
    for k in rng.choice(len(links), n_edges, replace=False):
        truth[(*links[k], int(rng.integers(1, lags + 1)))] = True
    return evidence + size * truth, truth


@pytest.mark.parametrize("n_edges", [0, 1, 4, 10])
def test_evidence_of_many_standard_errors_is_kept(n_edges):
    false = kept = 0
    for seed in range(30):
        evidence, truth = standing_out(seed, n_edges)
        found = np.asarray(evidence_null(evidence).edges(0.1).directed)
        assert found[truth].all()
        false, kept = false + (found & ~truth).sum(), kept + found.sum()
    assert false <= max(0.2 * kept, 12)


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_units_of_evidence_do_not_matter_with_many_links(scale, seed):
    evidence, _ = standing_out(seed, 4, size=3.0, n=8)
    one, other = evidence_null(evidence), evidence_null(scale * evidence)
    np.testing.assert_allclose(one.p_value, other.p_value, rtol=1e-5, atol=1e-12)


@given(st.integers(0, 1000), st.integers(2, 6))
@settings(max_examples=50, deadline=None)
def test_among_few_candidates_all_links_may_be_edges(seed, n):
    """The bulk says nothing of chance if it is made of edges; own pasts are stronger still."""
    rng = np.random.default_rng(seed)
    edge = rng.random((n, n)) < rng.choice([0.3, 0.9])
    np.fill_diagonal(edge, True)
    evidence = np.zeros((n, n, 2))
    evidence[:, :, 1] = np.where(edge, rng.uniform(12, 40, (n, n)), np.abs(rng.normal(size=(n, n))))
    evidence[np.arange(n), np.arange(n), 1] *= 20
    found = np.asarray(evidence_null(evidence).edges(0.1).directed)[:, :, 1]
    assert found[edge].all()
    assert (found & ~edge).sum() <= 1


def test_edges_far_apart_are_left_to_the_mixture():
    scores, _ = mixed(distance=6.0)
    mixture, both = empirical_null(scores), evidence_null(np.sqrt(scores))
    assert mixture.separation > 3.5
    np.testing.assert_allclose(both.p_value, mixture.p_value, rtol=1e-6)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 5.0, 30.0, 300.0]))
@settings(max_examples=20, deadline=None)
def test_how_far_links_stand_apart_is_not_a_matter_of_own_pasts(seed, strength):
    """Where variables change slowly, their own pasts stand apart by far, and edges may not."""
    rng, n = np.random.default_rng(seed), 12
    own, edge = np.eye(n, dtype=bool), rng.random((n, n)) < 0.3
    evidence = np.zeros((n, n, 2))
    evidence[:, :, 1] = np.abs(rng.normal(size=(n, n)) + edge * rng.uniform(0, 9, (n, n)))
    found = separation_of_links(evidence**2)
    evidence[own, 1] = strength * rng.uniform(3, 6, n)
    assert separation_of_links(evidence**2) == found
    if strength == 300:
        assert empirical_null(evidence**2).separation > found


def test_own_pasts_do_not_pay_for_false_edges_between_variables():
    p_value = np.full((20, 20, 2), np.nan)
    p_value[:, :, 1] = np.random.default_rng(0).uniform(size=(20, 20))
    np.fill_diagonal(p_value[:, :, 1], 1e-12)
    cross = ~np.eye(20, dtype=bool)
    together, apart = (
        rule(p_value)[:, :, 1][cross] for rule in (benjamini_hochberg, lagged_q_values)
    )
    assert apart.min() > 2 * together.min()
    np.testing.assert_allclose(apart, scipy.stats.false_discovery_control(p_value[:, :, 1][cross]))
