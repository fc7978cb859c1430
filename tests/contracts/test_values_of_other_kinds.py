"""Lists are arrays; what is traced or of another kind is refused, with what to do instead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcause as jc
from jaxcause import InputError, attention, attribution, stats

WINDOWS = np.random.default_rng(0).normal(size=(4, 2, 2))
ATTENTION = np.array([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.2, 0.3, 0.5]])
SCORES = np.random.default_rng(1).random((3, 3, 2))
GRAPH = jc.CausalGraph(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))


def forecast(window):
    return jnp.tanh(window[-1]) + window[0, ::-1]


def nothing_changes(removed):
    return np.zeros(len(removed), bool)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    "readout",
    [
        attribution.gradient_energy,
        attribution.mean_gradient,
        attribution.input_x_gradient,
        attribution.rank_mean_over_std,
        lambda f, w: attribution.intervention(f, w, key=jax.random.key(0)),
        lambda f, w: attribution.response_curves(f, w, [[0, 1, 1]], n_points=3),
    ],
)
def test_windows_may_be_lists_and_forecasts_may_not_use_numpy(readout):
    for one, other in zip(
        jax.tree.leaves(readout(forecast, WINDOWS.tolist())),
        jax.tree.leaves(readout(forecast, WINDOWS)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    with pytest.raises(InputError, match=r"predict_fn calls numpy, .* jax.numpy, .*from_torch"):
        readout(lambda window: np.tanh(np.asarray(window)[-1]), WINDOWS)
    with pytest.raises(InputError, match="windows is no array"):
        readout(forecast, [[[1.0, 2.0]], [[3.0]]])
    with pytest.raises(InputError, match="windows is an array of <U1; give an array of real"):
        readout(forecast, [[["a", "b"]]])


@pytest.mark.usefixtures("untyped")
def test_attention_may_be_lists():
    for function in (
        attention.correlation,
        attention.attention_received,
        lambda a: attention.abcd(a, 64).graph.marks,
        lambda a: attention.merge_word_pieces(a, [None, 0, 0]).attention,
        lambda a: attention.attention_rollout([a, a], 0),
    ):
        np.testing.assert_allclose(function(ATTENTION.tolist()), function(ATTENTION))


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: attention.abcd(ATTENTION, 64, shrinkage="auto"), "needs samples"),
        (lambda: attention.attention_received(ATTENTION, 1.0), r"target=1\.0 is none of"),
        (lambda: attention.attention_received(ATTENTION, True), "target=True is none of"),
        (
            lambda: attention.merge_word_pieces(ATTENTION, [None, 0, float("nan")]),
            "word_ids holds nan, which is no whole number",
        ),
        (
            lambda: attention.cleann(GRAPH.marks, 0, nothing_changes),
            r"graph is ndarray, not a CausalGraph; .*jc.CausalGraph\(marks\)",
        ),
    ],
)
def test_values_of_another_kind_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


ON_HOST = {
    "scores": [
        lambda s: attribution.select_fdr(s).marks,
        lambda s: attribution.select_top_k(s, 1).marks,
        lambda s: attribution.select_threshold(s).marks,
        lambda s: attribution.select_global_top_k(s, 2).marks,
        lambda s: attribution.empirical_null(s).p_value,
    ],
    "windows": [lambda w: attribution.response_curves(forecast, w, np.array([[0, 1, 1]])).response],
    "corr": [stats.condition_number, stats.partial_correlations],
    "attn": [attention.attention_received, lambda a: attention.attention_rollout(a[None], 0)],
    "graph": [
        lambda m: attention.cleann(jc.CausalGraph(m.astype(np.int8)), 0, nothing_changes).n_queries
    ],
    "nodes": [
        lambda s: attention.explain_in_order(s, nothing_changes).n_queries,
        lambda s: attention.explain_by_subsets(s, nothing_changes).n_queries,
    ],
}
GIVEN = {
    "scores": SCORES,
    "windows": WINDOWS,
    "corr": np.eye(3),
    "attn": ATTENTION,
    "graph": np.asarray(GRAPH.marks),
    "nodes": np.arange(3.0),
}


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("name", "function"), [(name, f) for name, functions in ON_HOST.items() for f in functions]
)
def test_what_decides_on_the_host_says_so_where_it_is_traced(name, function):
    function(GIVEN[name])
    named = "scores" if name == "nodes" else name
    for traced in (jax.jit(function), lambda x: jax.vmap(function)(x[None])):
        with pytest.raises(InputError, match=f"{named} is traced by jit, vmap or grad"):
            traced(jnp.asarray(GIVEN[name]))
