"""Prior knowledge of links: every method of `discover` obeys it, or says why it cannot."""

import json

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import jaxcause as jc
from jaxcause.cli._main import main
from jaxcause.discovery import lagged_correlation, pcmci_plus
from jaxcause.graph import Mark
from jaxcause.series import link_knowledge
from jaxcause.training import TrainingConfig
from jaxcause.workflows import methods

N_VARS, MAX_LAG, NAMES = 4, 2, ("rain", "river", "lake", "sea")
QUICK = {"model": "small", "training": TrainingConfig(4, batch_size=4), "skip": False}
CALLS = {
    "var": ("var", {}),
    "lasso": ("lasso", {}),
    "pc": ("pc", {}),
    "pc at lag 0": ("pc", {"contemporaneous": True}),
    "pcmci": ("pcmci", {}),
    "pcmci at lag 0": ("pcmci", {"contemporaneous": True}),
    "pcmci+": ("pcmci+", {}),
    "gradient": ("gradient", QUICK),
    "gradient at lag 0": ("gradient", QUICK | {"contemporaneous": True, "latents": False}),
    "gradient, latents": ("gradient", QUICK | {"contemporaneous": True, "latents": True}),
}
AT_LAG_0 = ("pc at lag 0", "pcmci at lag 0", "pcmci+", "gradient at lag 0", "gradient, latents")
CLASSICAL = [name for name in CALLS if not name.startswith("gradient")]


def series(seed, n_rows=150):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, N_VARS))
    for t in range(2, n_rows):
        x[t, 1] += 0.6 * x[t - 2, 0] + 0.4 * x[t - 1, 1]
        x[t, 2] += 0.7 * x[t, 1]
        x[t, 3] += 0.5 * x[t - 1, 2]
    return x


def run(call, x, **options):
    method, own = CALLS[call]
    return jc.discover(x, MAX_LAG, names=NAMES, method=method, progress=False, **(own | options))


def random_knowledge(seed, at_lag_0):
    """Options, and the arrays ``[source, target, lag]`` that they mean, written out anew."""
    rng = np.random.default_rng(seed)
    shape = (N_VARS, N_VARS, MAX_LAG + 1)
    allowed = np.ones(shape, bool)
    allowed[:, :, 0] = ~np.eye(N_VARS, dtype=bool)
    options = {"forbidden": [], "required": [], "lag_limits": {}}
    for _ in range(rng.integers(1, 4)):
        i, j = rng.integers(N_VARS, size=2)
        options["forbidden"].append((NAMES[i], NAMES[j]))
        allowed[i, j] = False
    for _ in range(rng.integers(1, 5)):
        i, j, lag = *rng.integers(N_VARS, size=2), rng.integers(1 - at_lag_0, MAX_LAG + 1)
        if lag > 0 or i != j:
            options["forbidden"].append((NAMES[i], NAMES[j], int(lag)))
            allowed[i, j, lag] = False
    i, j = rng.integers(N_VARS, size=2)
    options["lag_limits"][NAMES[i], NAMES[j]] = 1
    allowed[i, j, 2:] = False
    if rng.random() < 0.5:
        tiers = rng.integers(-1, 2, N_VARS)
        options["tiers"] = dict(zip(NAMES, tiers.tolist(), strict=True))
        allowed &= (tiers[:, None] <= tiers)[:, :, None]
    required = np.zeros(shape, bool)
    for i, j, lag in rng.permutation(np.argwhere(allowed)).tolist():
        # Ascending at lag 0, so that there is no cycle.
        if required.sum() < 4 and (lag > 0 or (at_lag_0 and i < j)):
            required[i, j, lag] = True
            options["required"].append((NAMES[i], NAMES[j], lag))
    return options, allowed, required


@pytest.mark.parametrize("call", CALLS)
def test_no_forbidden_edge_and_every_required_one(call):
    at_lag_0 = call in AT_LAG_0
    for seed in range(2 if call.startswith("gradient") else 12):
        options, allowed, required = random_knowledge(seed, at_lag_0)
        found = run(call, series(seed), **options)
        directed = np.asarray(found.graph.directed)
        adjacent = np.asarray(found.graph.adjacency)
        assert not (directed & ~allowed).any(), (seed, options)
        assert not adjacent[..., 1:][~allowed[..., 1:]].any(), (seed, options)
        now = allowed[:, :, 0]
        assert not adjacent[:, :, 0][~now & ~now.T].any(), (seed, options)
        # One direction only: the edge has it, or an arrowhead at least.
        one_way = adjacent[:, :, 0] & ~now & now.T
        assert (np.asarray(found.graph.marks)[:, :, 0, 0][one_way] == Mark.ARROW).all(), seed
        assert directed[required].all(), (seed, options)
        assert found.info.n_conflicts is not None
        named = [note for note in found.info.notes if "do not support" in note]
        assert len(named) <= 1


@pytest.mark.parametrize("call", CALLS)
def test_knowledge_that_says_nothing_changes_nothing(call):
    x = series(3)
    nothing = {
        "forbidden": [],
        "required": np.zeros((N_VARS, N_VARS, MAX_LAG + 1), bool),
        "lag_limits": {("rain", "sea"): MAX_LAG},
        "tiers": [7] * N_VARS,
    }
    plain, told = run(call, x), run(call, x, **nothing)
    np.testing.assert_array_equal(plain.graph.marks, told.graph.marks)
    # XLA may take over from numpy between two calls, and rounds sums in another order.
    np.testing.assert_allclose(plain.scores, told.scores, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(plain.strength, told.strength, rtol=1e-12, atol=1e-15)
    assert plain.info.notes == told.info.notes


@pytest.mark.parametrize("call", [*CLASSICAL, "gradient"])
def test_a_required_link_that_the_data_refute_is_named(call):
    x = series(0, 400)
    options = {"skip": True} if call == "gradient" else {}
    lies = run(call, x, required=[("sea", "rain", 1), ("rain", "river", 2)], **options)
    assert lies.info.n_conflicts >= 1
    (note,) = [note for note in lies.info.notes if "do not support" in note]
    assert "sea -> rain at lag 1" in note
    if call == "gradient":
        # It is hardly trained, and supports no link.
        return
    assert note.startswith("The data do not support 1 of 2 required links: sea -> rain at lag 1.")
    true = run(call, x, required=[("rain", "river", 2)])
    # The series has an edge at lag 0, which PC sees although it is not allowed here.
    seen = [note for note in true.info.notes if "lag 0, but no edge is allowed" in note]
    assert true.info.n_conflicts == len(seen) == (call == "pc")
    assert not any("do not support" in note for note in true.info.notes)


@pytest.mark.parametrize("call", AT_LAG_0[:3])
def test_knowledge_orients_an_edge_at_lag_0(call):
    x = series(1, 600)
    for options in (
        {"forbidden": [("river", "lake", 0)]},
        {"forbidden": [("river", "lake")]},
        {"tiers": {"rain": 0, "river": 2, "lake": 1, "sea": 2}},
        {"required": [("lake", "river", 0)]},
    ):
        edges = run(call, x, **options).graph.edges(NAMES)
        assert ("lake", 0, "-->", "river") in edges, options


@pytest.mark.parametrize("call", AT_LAG_0)
def test_a_required_link_at_lag_0_that_the_data_refute_is_named(call):
    found = run(call, series(0, 400), required=[("river", "lake", 0), ("rain", "sea", 0)])
    (note,) = [note for note in found.info.notes if "do not support" in note]
    assert "1 of 2" in note
    assert "rain -> sea at lag 0" in note


@pytest.mark.parametrize("call", [name for name in CALLS if name not in AT_LAG_0])
def test_lag_0_is_refused_where_no_edge_can_be(call):
    for option in ("forbidden", "required"):
        with pytest.raises(jc.InputError, match="no edges within a time step"):
            run(call, series(0), **{option: [("rain", "river", 0)]})


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tiers": [0.5, 0.2, 1, 1]}, r"tiers gives 'rain' the value 0.5"),
        ({"tiers": [0, 1, np.nan, 1]}, "tiers gives 'lake' the value nan"),
        ({"tiers": np.arange(4.0)}, "tiers gives 'rain'"),
        ({"tiers": [True, 0, 0, 0]}, "tiers gives 'rain' the value True"),
        ({"tiers": [0, 1]}, "must hold 4 whole numbers"),
        ({"tiers": {"rain": 0, "river": 1, "lake": 1}}, "tiers lacks 'sea'"),
        ({"tiers": dict.fromkeys((*NAMES, "moon"), 0)}, "tiers names 'moon'"),
        ({"tiers": [0, 1, 1, 1], "required": [("sea", "rain", 1)]}, "tiers excludes"),
        ({"forbidden": ("rain", "river")}, "holds 'rain'; write"),
        ({"forbidden": "rain->river"}, "must be a list"),
        ({"forbidden": [("rian", "river")]}, "names 'rian'"),
        ({"forbidden": [(True, "river")]}, "names True"),
        ({"required": [("rain", "river", 1.0)]}, "holds lag 1.0"),
        ({"required": [("rain", "river", -1)]}, "holds lag -1"),
        ({"lag_limits": {("rain", "river"): 1.5}}, "the lag 1.5"),
        ({"lag_limits": {"ab": 1}}, "write \\(source, target\\)"),
        ({"lag_limits": {3: 1}}, "lag_limits holds 3; write"),
        ({"lag_limits": [("rain", "river", 1)]}, "must be a mapping"),
        ({"lag_limits": {("rain", "river"): 1, (0, 1): 2}}, "the lags 1 and 2; give it one"),
        ({"forbidden": [5]}, "forbidden holds 5; write"),
        ({"forbidden": 5}, "forbidden=5 must be a list"),
        ({"forbidden": {("rain", "river"): 1}}, "must be a list"),
        ({"tiers": 1}, "tiers=1 must hold 4 whole numbers"),
        ({"tiers": {"rain": 0, "river": 1, "lake": 1, "sea": 1, 0: 2}}, "the tiers 0 and 2"),
    ],
)
@pytest.mark.parametrize("call", CLASSICAL)
def test_knowledge_that_cannot_be_is_refused(call, options, message):
    with pytest.raises(jc.InputError, match=message):
        run(call, series(0), **options)


def test_required_links_at_lag_0_form_no_cycle():
    both = {"required": [("rain", "river"), ("river", "rain")]}
    assert link_knowledge(NAMES, 1, **both).required.sum() == 2
    with pytest.raises(jc.InputError, match="cycle at lag 0 among 'rain', 'river'"):
        link_knowledge(NAMES, 1, contemporaneous=True, **both)
    with pytest.raises(jc.InputError, match="nothing acts on itself"):
        link_knowledge(NAMES, 1, contemporaneous=True, required=[("rain", "rain", 0)])
    itself = link_knowledge(NAMES, 1, contemporaneous=True, required=[("rain", "rain")])
    assert np.argwhere(itself.required).tolist() == [[0, 0, 1]]


@hypothesis.given(st.permutations(["0", "1", "2", "12"]), st.integers(0, 12), st.integers(0, 12))
def test_a_number_that_is_the_name_of_a_column_is_that_column(names, source, target):
    def place(number):
        if str(number) in names:
            return names.index(str(number))
        return number if number < len(names) else None

    at = (place(source), place(target))
    if None in at:
        with pytest.raises(jc.InputError, match="but the variables are"):
            link_knowledge(names, 1, forbidden=[(source, target)])
        return
    expected = np.ones((4, 4), bool)
    expected[at] = False
    for given in ({"forbidden": [(source, target)]}, {"lag_limits": {(source, target): 0}}):
        assert (link_knowledge(names, 1, **given).allowed[:, :, 1] == expected).all()
    tiers = {0: 0, 1: 1, 2: 2, 12: 3}
    order = np.array([tiers[int(name)] for name in names])
    allowed = link_knowledge(names, 1, tiers=tiers).allowed[:, :, 1]
    assert (allowed == (order[:, None] <= order)).all()


@pytest.mark.usefixtures("untyped")
def test_tiers_of_a_pandas_series_go_by_its_index():
    by_index = pd.Series([0, 1, 2, 3], index=["sea", "lake", "river", "rain"])
    as_mapping = link_knowledge(NAMES, 1, tiers=by_index.to_dict())
    for tiers in (by_index, {3: 0, 2: 1, 1: 2, 0: 3}):
        assert (link_knowledge(NAMES, 1, tiers=tiers).allowed == as_mapping.allowed).all()
    found = jc.discover(series(0), MAX_LAG, names=NAMES, method="var", tiers=by_index)
    assert not np.asarray(found.graph.adjacency)[NAMES.index("rain"), NAMES.index("river")].any()


def test_none_says_nothing():
    method = methods.VAR(forbidden=None, required=None)
    assert method.settings["forbidden"] == ()
    assert link_knowledge(NAMES, 1, forbidden=None, required=None).is_trivial


def test_links_may_be_given_once():
    method = methods.VAR(forbidden=iter([("rain", "river")]))
    for _ in range(2):
        found = jc.discover(series(0), MAX_LAG, names=NAMES, method=method)
        assert not np.asarray(found.graph.adjacency)[0, 1].any()
    assert method.settings["forbidden"] == (("rain", "river"),)


def test_all_methods_have_the_options_with_one_text():
    texts = {}
    for kind in methods.registered().values():
        for option in kind.options():
            if option.name in ("forbidden", "required", "lag_limits", "tiers"):
                texts.setdefault(option.name, []).append(option.description)
    assert {name: len(said) for name, said in texts.items()} == dict.fromkeys(texts, 6)
    assert all(len(set(said)) == 1 and said[0] for said in texts.values())
    assert [option.name for option in methods.VAR.options()][0] == "q"


@pytest.mark.parametrize("method", ["auto", "var", "lasso", "pc", "pcmci", "pcmci+"])
def test_the_command_line_takes_knowledge_for_every_method(method, tmp_path, capsys):
    rows = "\n".join(",".join(f"{v:.6f}" for v in row) for row in series(0))
    (tmp_path / "s.csv").write_text(",".join(NAMES) + "\n" + rows + "\n")
    given = "--forbid rain->river --require sea->rain:1 --lag-limit lake->sea:1".split()
    tiers = "--tier rain:0 --tier river:-1 --tier lake:0 --tier sea:0".split()
    call = ["discover", str(tmp_path / "s.csv"), "--max-lag", "2", "--method", method, "--json"]
    assert main([*call, "--quiet", "--out", str(tmp_path / "out"), *given, *tiers]) == 0
    edges = json.loads(capsys.readouterr().out)["graph"]["edges"]
    pairs = {(edge["source"], edge["target"], edge["lag"]) for edge in edges}
    assert ("sea", "rain", 1) in pairs
    assert not {(i, j) for i, j, _ in pairs} & {("rain", "river"), ("lake", "river")}
    assert ("lake", "sea", 2) not in pairs
    assert main([*call, "--quiet", "--out", str(tmp_path / "o"), "--tier", "rain:x"]) == 2
    assert "'rain:x' is no tier; write it as NAME:K" in capsys.readouterr().err


@pytest.mark.parametrize("colliders", ["majority", "none"])
def test_what_only_knowledge_separates_orients_nothing(colliders):
    """0 → 1 ← 2 with the pair 0, 2 forbidden: no test says whether 1 separates its ends."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 3))
    x[:, 1] += x[:, 0] + x[:, 2]
    corr, n = lagged_correlation(x, np.arange(3998), max_lag=1)
    allowed, required = np.ones((3, 3, 2), bool), np.zeros((3, 3, 2), bool)
    allowed[0, 2, 0] = allowed[2, 0, 0] = False
    required[0, 1, 0] = True
    found = pcmci_plus(corr, n, n_vars=3, allowed=allowed, required=required, colliders=colliders)
    edges = {edge for edge in found.graph.edges() if edge[1] == 0}
    assert ("X0", 0, "-->", "X1") in edges
    assert ("X1", 0, "-->", "X2") not in edges
    if colliders == "majority":
        assert ("X2", 0, "-->", "X1") in edges


def test_colliders_against_knowledge_are_counted():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3))
    x[:, 1] += x[:, 0] + x[:, 2]
    corr, n = lagged_correlation(x, np.arange(1998), max_lag=1)
    assert pcmci_plus(corr, n, n_vars=3).info.n_unsupported == 0
    required = np.zeros((3, 3, 2), bool)
    required[1, 2, 0] = True
    found = pcmci_plus(corr, n, n_vars=3, required=required)
    assert found.info.n_unsupported == 1
    assert ("X1", 0, "-->", "X2") in found.graph.edges()
    assert found.info.n_conflicts == 0


def test_a_required_parent_is_a_condition_of_every_test():
    corr, n = lagged_correlation(series(0, 400), np.arange(396), max_lag=2)
    required = np.zeros((N_VARS, N_VARS, 3), bool)
    required[3, 0, 2] = True
    for search in (pcmci_plus, jc.discovery.pcmci):
        found = search(corr, n, n_vars=N_VARS, required=required)
        assert found.info.parents[3, 0, 2]
        assert np.asarray(found.graph.directed)[3, 0, 2]
        assert found.p_value[3, 0, 2] > 0.05
