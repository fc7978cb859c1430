import jax
import numpy as np
import pytest

from jaxcause import InputError, LaggedGraph, oracle_test
from jaxcause.discovery import refine
from jaxcause.discovery._phase_record import PhaseRecord
from jaxcause.discovery._refine.near_past import confirm_colliders
from jaxcause.discovery._refine.problem import RefineProblem
from jaxcause.discovery._refine.separating_sets import SeparatingSets
from jaxcause.stats import fit_var, partial_correlation_test

N, MAX_LAG = 3, 2


def links(n_vars, *some, max_lag=MAX_LAG):
    mask = np.zeros((n_vars, n_vars, max_lag + 1), bool)
    for one in some:
        mask[one] = True
    return mask


def unrolled(mask, n_slices):
    """The DAG of a long stretch; node ``lag * vars + var``."""
    n_vars, _, n_lags = mask.shape
    dag = np.zeros((n_slices * n_vars,) * 2, bool)
    for i, j, lag in np.argwhere(mask):
        for end in range(n_slices - lag):
            dag[(end + lag) * n_vars + i, end * n_vars + j] = True
    return dag


def observed_nodes(n_observed, n_all, n_slices):
    return np.array([s * n_all + v for s in range(n_slices) for v in range(n_observed)])


def oracle(mask, n_observed, n_slices, n_past=14):
    """A test that knows the DAG; all but the first variables of it are hidden."""
    seen = observed_nodes(n_observed, len(mask), n_slices)
    return oracle_test(unrolled(mask, n_past), seen)


def dependent_given_the_past(mask, n_observed):
    """What a perfect forecaster of the observed variables selects."""
    n_lags = mask.shape[2]
    test = oracle(mask, n_observed, 2 * n_lags - 1)
    nodes = np.arange(n_observed, n_observed * (2 * n_lags - 1), dtype=np.int32)
    ask = jax.jit(lambda x, y, s: test(x, y, s).p_value)
    chosen = np.zeros((n_observed, n_observed, n_lags), bool)
    for x in range(n_observed, n_observed * n_lags):
        for y in range(n_observed):
            rest = np.where(nodes == x, -1, nodes)
            chosen[x % n_observed, y, x // n_observed] = ask(x, y, rest) < 0.5
    return LaggedGraph.from_mask(chosen)


def test_a_spurious_edge_of_a_hidden_cause_goes_and_the_other_is_bidirected():
    # 2 → 0 ← hidden → 1: given 0, a forecaster finds 2 → 1 as well.
    mask = links(4, (2, 0, 1), (3, 0, 1), (3, 1, 2))
    selected = dependent_given_the_past(mask, N)
    assert bool(selected.adjacency[2, 1, 2])
    found = refine(selected, test=oracle(mask, N, 3), latents=True, alpha=0.5)
    assert found.graph.edges("abc") == [("a", 1, "<->", "b"), ("c", 1, "o->", "a")]
    assert found.info.n_selected == 3
    assert (found.info.n_hidden, found.info.n_open) == (1, 1)


def series(mask, n_steps=4000, seed=0):
    """A linear system, every weight ±0.5; simultaneous links must run from smaller to larger."""
    rng = np.random.default_rng(seed)
    weight = np.where(mask, 0.5 * rng.choice([-1, 1], mask.shape), 0)
    x = rng.normal(size=(n_steps, len(mask)))
    for t in range(mask.shape[2], n_steps):
        for lag in range(1, mask.shape[2]):
            x[t] += x[t - lag] @ weight[:, :, lag]
        for j in range(len(mask)):
            x[t, j] += x[t] @ weight[:, j, 0]
    return x


def selected_by_t_tests(x):
    fit = fit_var(x, np.arange(len(x) - MAX_LAG), max_lag=MAX_LAG)
    return LaggedGraph.from_mask(fit.q_value < 0.1), fit


SYSTEM = links(N, (0, 0, 1), (1, 1, 2), (0, 1, 0), (1, 2, 0), (2, 0, 2))
EDGES = [
    ("a", 0, "-->", "b"),
    ("a", 1, "-->", "a"),
    ("b", 0, "-->", "c"),
    ("b", 2, "-->", "b"),
    ("c", 2, "-->", "a"),
]


def test_simultaneous_effects_of_a_series():
    x = series(SYSTEM)
    selected, _ = selected_by_t_tests(x)
    assert int(selected.adjacency.sum()) > 5
    found = refine(selected, x, latents=False, contemporaneous=True)
    assert sorted(found.graph.edges("abc")) == EDGES


@pytest.mark.parametrize(
    ("ends", "said", "confirmed"),
    [
        (
            0.04,
            False,
            True,
        ),  # a non-collider: the empty set separates the ends by chance, less well
        (0.0, False, False),  # a collider: given its middle the ends are dependent
        (0.36, True, True),  # a non-collider: without its middle the ends are dependent
    ],
)
def test_the_larger_p_value_says_whether_a_middle_is_a_collider(ends, said, confirmed):
    strength = {0.04: 0.2, 0.0: 0.6, 0.36: 0.6}[ends]
    corr = np.array([[1, strength, ends], [strength, 1, strength], [ends, strength, 1]])
    known = SeparatingSets.none(3)
    known.found[[0, 2], [2, 0]] = True
    known.member[[0, 2], [2, 0], 1] = said
    adjacency = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    problem = RefineProblem(
        allowed=np.ones((3, 3, 1), bool),
        required=np.zeros((3, 3, 1), bool),
        causes=np.ones((3, 3, 1), bool),
        test=partial_correlation_test(corr, 200),
        n_slices=1,
        latents=True,
        contemporaneous=True,
        alpha=0.001,
        max_cond_size=1,
    )
    found = confirm_colliders(problem, known, adjacency, PhaseRecord(), 1)
    assert (found.member[0, 2, 1], found.member[2, 0, 1]) == (confirmed, confirmed)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either values or a test"),
        ({"values": np.zeros((50, 2))}, "values has shape"),
        ({"values": np.zeros((5, 3))}, "too few"),
        ({"values": np.zeros((50, 3)), "segment": np.zeros(3)}, "segment has shape"),
        ({"values": np.zeros((50, 3)), "alpha": 1.0}, "alpha=1"),
        ({"values": np.zeros((50, 3)), "q": 0.0}, "q=0"),
        ({"values": np.zeros((50, 3)), "search": "pc"}, "search='pc' is not known"),
        ({"values": np.zeros((50, 3)), "search": "icd", "latents": False}, "for latents=True"),
        ({"values": np.zeros((50, 3)), "n_slices": 2}, "n_slices=2"),
        ({"test": oracle_test(np.zeros((4, 4), bool))}, "test is about 4 nodes"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    graph = LaggedGraph.from_mask(links(N, (0, 1, 1)))
    with pytest.raises(InputError, match=message):
        refine(graph, **{"latents": True, **arguments})
