"""One simulator for all kinds of lagged systems in benchmarks."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least, check_choice
from jaxcause.graph import LaggedGraph
from jaxcause.simulate._functions import FAMILIES
from jaxcause.simulate._mechanism import draw_mechanism
from jaxcause.simulate._noise import NOISES, draw_noise
from jaxcause.simulate._path import run_forward, segments, stacked, tuned
from jaxcause.simulate._wiring import Wiring, draw_wiring, true_graph

FUNCTIONS = (*FAMILIES, "mlp_cat")

BURN_IN = 500
"""Steps discarded at the start, in addition to ten times the longest lag."""

PILOT = 2000
"""Number of steps of a pilot run."""

SEGMENTS_PER_DOMAIN = 4
"""Number of stretches of each regime."""


class LaggedSystem(NamedTuple):
    """A simulated series, its graph, and further facts about it.

    Args:
        series: The observed variables, with mean about 0 and variance about 1.
        truth: The latent projection: ``-->`` for parents, ``<->`` if two observed variables share a
            hidden cause and neither is a parent of the other at that lag.
        domain: Regime of each step; all 0 with one regime.
        effect: Total effect of each edge, as a share of its target's variance; 0 without an edge.
        confounded: Pairs and lags that share a hidden cause, with or without an edge.
        latents: The hidden variables.
    """

    series: Float[Array, "time vars"]
    truth: LaggedGraph
    domain: Int[Array, "time"]
    effect: Float[np.ndarray, "vars vars lags"]
    confounded: Bool[np.ndarray, "vars vars lags"]
    latents: Float[Array, "time latents"]


def lagged_system(
    key: PRNGKeyArray,
    *,
    n_vars: int,
    max_lag: int,
    n_steps: int,
    function: str = "linear",
    noise: str = "gaussian",
    n_domains: int = 1,
    n_latents: int = 0,
    instantaneous: float = 0.0,
    n_parents: int = 3,
) -> LaggedSystem:
    r"""Simulate :math:`x_i(t) = \sum_p a_{ip} \hat g_{ip}(x_{j_p}(t-\ell_p)) + \sigma_i s_i e_i`.

    Every variable has exactly ``n_parents`` parents (source, lag), drawn without replacement. Each
    :math:`\hat g` is a random function scaled to mean 0 and variance 1, so that :math:`a_{ip}^2` is
    the share of variance that the parent explains. The parents' relative shares are uniform on
    [0.75, 1.25], their shares sum to 0.6, and the noise explains the rest of variance 1. A
    variable's a are scaled down together until its slopes (on average, and for large inputs) sum to
    at most 0.9, which keeps every system from exploding or drifting. With three parents, each edge
    explains at least 1 % of its target's variance (measured over all functions and up to 100
    variables; 6 % for linear ones; ``effect`` of the result holds the shares). Variances reveal
    nothing about the order. The scales come from six pilot runs of 2,000 steps.

    Functions:

    - ``linear``: ±x.
    - ``monotonic``: ± one of tanh, a shifted logistic step, sign(x) log(1 + s|x|), a shifted
      softplus and a wavy line, with steepness s uniform on [1, 4].
    - ``pl+m``: half of the edges are piecewise linear with three knots and random signs of slope
      (inner |slope| on [0.5, 1.5], outer on [0.2, 0.6]), half are monotonic.
    - ``mlp_additive``: for each edge, a random network with one input and 8 tanh units. Weights
      into the units have standard deviation 3, centres are uniform on [−2, 2], and weights out of
      the units have standard deviation 1.
    - ``mlp_cat``: for each variable, one random network with 16 tanh units over its parents and its
      noise. All weights are normal, inputs are scaled to length 3, and biases are uniform on
      [−2, 2]. The shares are then shares of the total effect, and hold approximately.

    Noise: ``gaussian``, ``uniform``, ``mixed`` (normal, uniform and Laplace by turns), or
    ``heteroscedastic``: normal, times :math:`s_i = 1 + 0.8\tanh(\sum_p \pm x_p/\sqrt{n})`.

    Regimes share the graph; functions, shares and signs are drawn anew for each regime. Every
    regime has four stretches of about equal length, and each quarter of the series contains every
    regime once.

    Hidden variables are white noise. Each is a parent, at random lags of at least 1, of three
    observed variables. Children at lags a ≤ b are then joined by ``<->`` at lag b − a. A maximal
    ancestral graph over the observed variables may have further edges, between variables with a
    collider between them that is an ancestor of either; ``truth`` leaves these out.

    Args:
        key: Random key.
        n_vars: Number of observed variables.
        max_lag: Longest lag.
        n_steps: Length of the series.
        function: One of the functions above.
        noise: One of the noises above.
        n_domains: Number of regimes.
        n_latents: Number of hidden variables.
        instantaneous: Probability that a parent acts within the time step. These edges are
            acyclic, so the first variables of a random order have fewer of them.
        n_parents: Observed parents of each variable.

    Raises:
        InputError: A size is not positive, a name is not known, ``n_parents`` is too large, or the
            series is too short for its regimes.

    Source: settings after Wang, Wang & Huang (2026), arXiv 2601.05647; total effects by Jansen
    (1999); scaling during generation as in Ormaniec et al. (2025), "Standardizing structural causal
    models".

    >>> import jax
    >>> made = lagged_system(jax.random.key(0), n_vars=3, max_lag=2, n_steps=50, n_latents=1)
    >>> made.series.shape, int(made.truth.directed.sum()), made.latents.shape
    ((50, 3), 9, (50, 1))
    """
    check_choice("function", function, FUNCTIONS)
    check_choice("noise", noise, NOISES)
    check_at_least("n_steps", n_steps, 1)
    check_at_least("n_domains", n_domains, 1)
    if n_domains > 1 and n_steps < n_domains * SEGMENTS_PER_DOMAIN:
        raise InputError(
            f"n_steps={n_steps} is too short for n_domains={n_domains} regimes of "
            f"{SEGMENTS_PER_DOMAIN} stretches each; give a longer series"
        )
    wiring_key, mechanism_key, start_key, pilot_key, noise_key, domain_key = jax.random.split(
        key, 6
    )
    wiring = draw_wiring(
        wiring_key,
        n_vars=n_vars,
        max_lag=max_lag,
        n_parents=n_parents,
        n_latents=n_latents,
        instantaneous=instantaneous,
    )
    n_all = n_vars + n_latents
    before = BURN_IN + 10 * max_lag
    static = {"max_lag": max_lag, "function": function, "contemporaneous": wiring.depth > 0}
    source, lag, active, _ = wiring
    depth, heteroscedastic = np.asarray(wiring.depth, np.int32), noise == "heteroscedastic"
    options = {"function": function, "heteroscedastic": heteroscedastic}
    keys = jax.random.split(mechanism_key, n_domains)
    drawn = [draw_mechanism(k, active, active & (source < n_vars), **options) for k in keys]
    shocks = np.asarray(draw_noise(pilot_key, noise, (PILOT + before, n_all)))
    regimes, effects = tuned(start_key, drawn, source, lag, shocks, depth, skipped=before, **static)
    domain = segments(domain_key, n_domains, n_steps, SEGMENTS_PER_DOMAIN)
    with_start = np.concatenate([np.repeat(domain[:1], before), domain])
    shocks = np.asarray(draw_noise(noise_key, noise, (n_steps + before, n_all)))
    path = run_forward(stacked(regimes), source, lag, shocks, with_start, depth, **static)[before:]
    truth, confounded = true_graph(wiring, n_vars=n_vars, max_lag=max_lag)
    return LaggedSystem(
        series=jnp.asarray(path[:, :n_vars]),
        truth=truth,
        domain=domain,
        effect=_on_graph(effects.mean(axis=0), wiring, n_vars, max_lag),
        confounded=confounded,
        latents=jnp.asarray(path[:, n_vars:]),
    )


def _on_graph(
    effects: np.ndarray, wiring: Wiring, n_vars: int, max_lag: int
) -> Float[np.ndarray, "vars vars lags"]:
    target, place = np.nonzero(wiring.active & (wiring.source < n_vars))
    effect = np.zeros((n_vars, n_vars, max_lag + 1), np.float32)
    at = target, place
    effect[wiring.source[at], target, wiring.lag[at]] = effects[at]
    return effect
