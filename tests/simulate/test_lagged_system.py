import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcause import InputError, simulate
from jaxcause.graph import LaggedGraph, Mark
from jaxcause.simulate import _system
from jaxcause.stats import fit_var

SIZES = {"n_vars": 6, "max_lag": 3, "n_steps": 4000}
"""One size for most tests: the compiled programs are shared."""

CASES = {
    "linear": {},
    "regimes": {"function": "pl+m", "noise": "uniform", "instantaneous": 0.5, "n_domains": 3},
    "latents": {"function": "mlp_additive", "noise": "mixed", "n_latents": 3},
    "mlp_cat": {"function": "mlp_cat", "noise": "heteroscedastic"},
}


@pytest.fixture(scope="module")
def made():
    """Each case once, and what the recursion was given."""
    given, systems = {}, {}
    run_forward = _system.run_forward

    def noting(*arguments, **keywords):
        given["last"] = arguments, keywords
        return run_forward(*arguments, **keywords)

    _system.run_forward = noting
    try:
        for name, options in CASES.items():
            system = simulate.lagged_system(jax.random.key(1), **SIZES, **options)
            systems[name] = system, *given["last"]
    finally:
        _system.run_forward = run_forward
    return systems


def monotonic(theta, x):
    s, c = theta["steep"], theta["shift"]
    return [
        np.tanh(s * x),
        1 / (1 + np.exp(-2 * s * (x - c))),
        np.sign(x) * np.log(1 + s * abs(x)),
        np.log(1 + np.exp(s * (x - c))) / s,
        x + 0.9 * np.sin(s * x) / s,
    ][int(theta["which"])]


def piecewise(theta, x):
    value = theta["slopes"][0] * x
    for k, knot in enumerate(theta["knots"]):
        value += (theta["slopes"][k + 1] - theta["slopes"][k]) * max(x - knot, 0.0)
    return value


def network(theta, x):
    return sum(
        o * np.tanh(w * x + b)
        for o, w, b in zip(theta["out"], theta["into"], theta["bias"], strict=True)
    )


EDGE = {
    "linear": lambda theta, x: x,
    "monotonic": monotonic,
    "pl+m": lambda theta, x: piecewise(theta, x) if theta["bent"] else monotonic(theta, x),
    "mlp_additive": network,
}


def one_row(m, source, lag, path, t, shock, function):
    """The equations of the docstring, one variable after another in causal order."""
    row = np.zeros(len(source))
    left = set(range(len(source)))
    while left:
        for i in sorted(left):
            places = np.flatnonzero(m.active[i])
            if any(lag[i, p] == 0 and source[i, p] in left for p in places):
                continue
            value = {
                p: row[source[i, p]] if lag[i, p] == 0 else path[t - lag[i, p], source[i, p]]
                for p in places
            }
            tilt = sum(m.tilt[i, p] * value[p] for p in places)
            noise = m.noise[i] * (1 + 0.8 * np.tanh(tilt)) * shock[i]
            if function == "mlp_cat":
                hidden = m.theta["bias"][i] + m.theta["noise"][i] * noise
                for p in places:
                    hidden = hidden + m.theta["into"][i, :, p] * m.gain[i, p] * value[p]
                out = (m.theta["out"][i] * np.tanh(hidden)).sum()
                row[i] = (out - m.centre[i]) / m.spread[i]
            else:
                row[i] = noise
                for p in places:
                    theta = {k: v[i, p] for k, v in m.theta.items()}
                    effect = EDGE[function](theta, value[p]) - m.centre[i, p]
                    row[i] += m.gain[i, p] * effect / m.spread[i, p]
            left.discard(i)
            break
    return row


@pytest.mark.parametrize("name", CASES)
def test_every_step_follows_the_equations(made, name):
    system, (regimes, source, lag, shocks, domain, _), options = made[name]
    path = np.concatenate([np.asarray(system.series), np.asarray(system.latents)], axis=1)
    source, lag, shocks, domain = (np.asarray(a) for a in (source, lag, shocks, domain))
    start = len(shocks) - len(path)
    for t in (3, 500, 1999, 3999):
        m = jax.tree.map(lambda leaf, t=t: np.asarray(leaf[domain[start + t]]), regimes)
        row = one_row(m, source, lag, path, t, shocks[start + t], options["function"])
        np.testing.assert_allclose(path[t], row, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("name", CASES)
def test_series_are_scaled_and_edges_can_be_seen(made, name):
    system = made[name][0]
    x, truth = np.asarray(system.series), np.asarray(system.truth.directed)
    assert np.abs(x).max() < 12
    np.testing.assert_allclose(x.std(axis=0), 1.0, atol=0.2)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=0.3)
    assert (truth.sum(axis=(0, 2)) == 3).all()
    assert system.effect[truth].min() > 0.01
    assert (system.effect[~truth] == 0).all()


def test_a_linear_system_has_the_coefficients_that_its_effects_say(made):
    system = made["linear"][0]
    truth = np.asarray(system.truth.directed)
    fit = fit_var(np.asarray(system.series), np.arange(3997), max_lag=3)
    assert np.abs(fit.coefficients[~truth]).max() < 0.1
    np.testing.assert_allclose(
        np.abs(fit.coefficients[truth]), np.sqrt(system.effect[truth]), atol=0.1
    )


def test_regimes_share_the_graph_and_come_once_in_every_quarter(made):
    system, (regimes, *_), _ = made["regimes"]
    domain = np.asarray(system.domain)
    assert domain.dtype == np.int32
    for quarter in np.split(domain, 4):
        assert set(quarter.tolist()) == {0, 1, 2}
        assert (np.diff(quarter) != 0).sum() == 2
    gains = np.asarray(regimes.gain)
    assert (gains[0] != gains[1]).any()
    assert ((gains[0] != 0) == (gains[1] != 0)).all()


def test_hidden_causes_leave_bidirected_edges_between_their_children(made):
    system, (_, source, lag, *_), _ = made["latents"]
    source, lag = np.asarray(source), np.asarray(lag)
    marks, hidden = np.asarray(system.truth.marks), np.asarray(system.latents)
    confounded = np.zeros_like(system.confounded)
    for u in range(6, 9):
        children = [(int(i), int(lag[i, p])) for i, p in np.argwhere(source == u)]
        assert len({i for i, _ in children}) == 3
        for i, a in children:
            for j, b in children:
                confounded[i, j, max(b - a, 0)] |= i != j and b >= a
    np.testing.assert_array_equal(system.confounded, confounded)
    directed = np.asarray(system.truth.directed)
    both_ways = directed[:, :, 0] | directed[:, :, 0].T
    only = confounded & ~directed
    only[:, :, 0] &= ~both_ways
    assert (marks[only] == Mark.ARROW).all()
    assert ((marks == Mark.ARROW).all(axis=-1) == only).all()
    np.testing.assert_allclose(np.corrcoef(hidden[1:].T, hidden[:-1].T), np.eye(6), atol=0.08)


def test_instantaneous_edges_are_acyclic_and_marked_from_both_ends(made):
    truth = made["regimes"][0].truth
    now = np.asarray(truth.directed)[:, :, 0]
    assert now.sum() >= 3
    assert not np.diagonal(np.linalg.matrix_power(np.eye(6) + now, 6).astype(int) - np.eye(6)).any()
    assert (np.asarray(truth.adjacency)[:, :, 0] == (now | now.T)).all()


def test_neither_variance_nor_what_is_predictable_gives_the_edges_away():
    by_variance, by_fit = [], []
    for seed in range(8):
        system = simulate.lagged_system(jax.random.key(seed), **SIZES)
        by_variance.append(simulate.variance_sortability(np.asarray(system.series), system.truth))
        by_fit.append(simulate.r2_sortability(np.asarray(system.series), system.truth))
    assert np.mean(by_variance) == pytest.approx(0.5, abs=0.12)
    assert np.mean(by_fit) == pytest.approx(0.5, abs=0.12)


def test_sortability_finds_growing_variances():
    dag = np.triu(np.ones((4, 4), bool), 1)
    rising = jnp.arange(4.0)
    assert simulate.sortability(rising, dag) == 1.0
    assert simulate.sortability(-rising, dag) == 0.0
    assert simulate.sortability(0 * rising, dag) == 0.5
    with pytest.raises(InputError, match="no edge between"):
        simulate.sortability(rising, np.eye(4, dtype=bool))
    with pytest.raises(InputError, match="about 4 variables"):
        simulate.variance_sortability(
            np.ones((5, 3)), LaggedGraph.from_mask(dag[:, :, None] & [False, True])
        )


def test_r2_is_that_of_least_squares():
    system = simulate.vector_autoregression(jax.random.key(0), n_vars=3, max_lag=2, n_steps=400)
    x = np.asarray(system.series, np.float64)
    slices = np.concatenate([x[2 - lag : 400 - lag] for lag in range(3)], axis=1)
    share = []
    for i in range(3):
        others = np.column_stack([np.delete(slices, i, axis=1), np.ones(398)])
        left = slices[:, i] - others @ np.linalg.lstsq(others, slices[:, i], rcond=None)[0]
        share.append(1 - left.var() / slices[:, i].var())
    expected = simulate.sortability(np.array(share), system.truth)
    assert simulate.r2_sortability(x, system.truth) == expected
    with pytest.raises(InputError, match="10 rows"):
        simulate.r2_sortability(x[:10], system.truth)


def test_parents_of_the_variance_leave_the_mean_alone():
    made = simulate.variance_parents(jax.random.key(0), n_vars=5, max_lag=2, n_steps=20_000)
    x = np.asarray(made.series, np.float64)
    assert not (made.on_mean & made.on_variance).any()
    assert (np.asarray(made.truth.directed) == (made.on_mean | made.on_variance)).all()
    np.testing.assert_allclose(x.std(axis=0), 1.0, atol=0.15)
    fit = fit_var(x, np.arange(len(x) - 2), max_lag=2)
    assert np.abs(fit.coefficients[made.on_mean]).min() > 0.3
    assert np.abs(fit.coefficients[~made.on_mean]).max() < 0.05
    past = np.concatenate([x[1:-1], x[:-2]], axis=1)
    mean = past @ np.linalg.lstsq(past, x[2:], rcond=None)[0]
    size = np.log((x[2:] - mean) ** 2)
    for source, target, lag in np.argwhere(made.on_variance):
        driver = np.tanh(2 * x[2 - lag : len(x) - lag, source])
        assert abs(np.corrcoef(driver, size[:, target])[0, 1]) > 0.3


def test_the_same_key_gives_the_same_system():
    one, two = (simulate.lagged_system(jax.random.key(3), **SIZES) for _ in range(2))
    assert (one.series == two.series).all()
    assert (one.truth.marks == two.truth.marks).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_vars": 0}, "n_vars=0"),
        ({"function": "cubic"}, "choose one of linear, monotonic"),
        ({"noise": "pink"}, "choose one of gaussian"),
        ({"n_parents": 19}, "n_parents=19"),
        ({"n_domains": 0}, "n_domains=0"),
        ({"n_domains": 2000}, "n_steps=4000 is too short"),
        ({"instantaneous": 1.5}, "instantaneous=1.5"),
        ({"n_latents": -1}, "n_latents=-1"),
        ({"n_vars": 1, "n_latents": 1}, "at least 2 observed"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(InputError, match=message):
        simulate.lagged_system(jax.random.key(0), **SIZES | change)


def test_bad_numbers_of_variance_parents_are_named():
    sizes = {"n_vars": 2, "max_lag": 1, "n_steps": 5}
    with pytest.raises(InputError, match="must be at most n_vars"):
        simulate.variance_parents(jax.random.key(0), **sizes, n_parents=2)
    with pytest.raises(InputError, match="n_variance_parents=0"):
        simulate.variance_parents(jax.random.key(0), **sizes, n_variance_parents=0)
