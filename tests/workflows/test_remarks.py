"""What every discovery says against itself: cycles, conflicts, few windows, discrete columns."""

import numpy as np
import pytest

import jaxcause as jc
from jaxcause.graph import LaggedGraph, Mark
from jaxcause.series import as_series_table
from jaxcause.workflows._discover.remarks import n_cyclic, remarks_on_graph
from jaxcause.workflows._discover.windows import notes_on_windows

LINEAR = ("var", "lasso", "pc", "pcmci", "pcmci+")


def at_lag_0(n, **edges):
    marks = np.zeros((n, n, 2, 2), np.int8)
    for pair, ends in edges.items():
        i, j = map(int, pair[1:])
        marks[i, j, 0], marks[j, i, 0] = ends, ends[::-1]
    return LaggedGraph(marks)


FORTH, HIDDEN, CONFLICT = (3, 2), (Mark.ARROW,) * 2, (Mark.CONFLICT,) * 2


@pytest.mark.parametrize("last", [FORTH, HIDDEN])
def test_a_cycle_within_a_step_is_counted_and_named(last):
    graph = at_lag_0(4, e01=FORTH, e12=FORTH, e20=last, e23=FORTH)
    assert n_cyclic(graph) == 3
    [note] = remarks_on_graph(graph, ("a", "b", "c", "d"))
    assert "3 contemporaneous edges" in note
    assert "a --> b" in note
    assert "c --> d" not in note
    assert "unknown" in note


def test_conflicts_are_named():
    graph = at_lag_0(3, e01=CONFLICT, e12=FORTH)
    assert n_cyclic(graph) == 0
    [note] = remarks_on_graph(graph, ("a", "b", "c"))
    assert note.startswith("The rules orient 1 contemporaneous edge (a x-x b) both ways.")


def test_nothing_is_said_of_a_sound_graph():
    assert remarks_on_graph(at_lag_0(3, e01=FORTH, e12=HIDDEN), ("a", "b", "c")) == ()
    assert n_cyclic(at_lag_0(3)) is None


def confounded(seed, n_rows=300, n_vars=6):
    rng = np.random.default_rng(seed)
    hidden, x = rng.normal(size=n_rows), rng.normal(size=(n_rows, n_vars))
    for t in range(1, n_rows):
        x[t] += 0.4 * x[t - 1] + np.linspace(0.2, 0.9, n_vars) * hidden[t]
        x[t, 1:] += 0.5 * x[t, :-1]
    return x


def test_discover_tells_of_what_pcmci_plus_finds():
    said = 0
    for seed in range(4):
        found = jc.discover(confounded(seed), 1, method="pcmci+", alpha=0.05, progress=False)
        marks = np.asarray(found.graph.marks)[:, :, 0, 0]
        conflicts = int((marks == Mark.CONFLICT).sum()) // 2
        told = [note for note in found.info.notes if note.startswith("The rules orient")]
        assert bool(told) == (conflicts > 0)
        assert all(f"orient {conflicts} contemporaneous" in note for note in told)
        assert found.info.n_cyclic is not None
        assert all(note in found.summary() for note in told)
        said += len(told)
    assert said > 0


@pytest.mark.parametrize("method", LINEAR)
def test_few_windows_are_told(method):
    rng = np.random.default_rng(0)
    few = jc.discover(rng.normal(size=(11, 2)), 2, method=method, progress=False)
    told = [note for note in few.info.notes if "windows are few for the" in note]
    assert len(told) == 1
    assert ("compare with method='pc'" in told[0]) == (method == "lasso")
    many = jc.discover(rng.normal(size=(200, 2)), 2, method=method, progress=False)
    assert not any("windows are few for the" in note for note in many.info.notes)


def test_six_rows_are_told():
    rng = np.random.default_rng(0)
    found = jc.discover(rng.normal(size=(6, 2)), 2, method="pc", progress=False)
    assert any("4 windows are few for the" in note for note in found.info.notes)


@pytest.mark.parametrize("method", LINEAR)
@pytest.mark.parametrize("n_levels", [2, 3, 10])
def test_discrete_columns_are_named(method, n_levels):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    x[:, 1] = rng.integers(0, n_levels, 300)
    found = jc.discover(x, 1, names=["a", "b", "c"], method=method, progress=False)
    told = [note for note in found.info.notes if note.startswith("Discrete columns")]
    assert len(told) == 1
    assert f": b ({n_levels})." in told[0]
    x[:, 1] = rng.normal(size=300)
    found = jc.discover(x, 1, method=method, progress=False)
    assert not any("Discrete" in note for note in found.info.notes)


@pytest.mark.parametrize("method", ["var", "gradient"])
def test_fewer_windows_than_inputs_are_answered_and_told(method):
    x = np.random.default_rng(0).normal(size=(50, 30))
    x[1:, 1::2] += 1.5 * x[:-1, ::2]
    found = jc.discover(x, 2, method=method, progress=False)
    edges = np.asarray(found.graph.directed)
    assert edges[np.arange(0, 30, 2), np.arange(1, 30, 2), 1].mean() > 0.9
    assert (np.asarray(found.strength)[edges] > 0).all()
    told = [note for note in found.info.notes if "that a stepwise regression chose" in note]
    assert len(told) == 1
    assert "60 inputs and 48 windows" in told[0]


def test_the_regression_can_be_chosen():
    x = np.random.default_rng(0).normal(size=(150, 12))
    one, other, auto = (
        jc.discover(x, 2, method="var", regression=kind, noise="steady", progress=False).scores
        for kind in ("full", "stepwise", "auto")
    )
    assert not np.allclose(one, other)
    np.testing.assert_array_equal(auto, other)


def of_columns(found, *words):
    return [note for note in found.info.notes if all(word in note for word in words)]


@pytest.mark.parametrize("method", ["var", "pc", "pcmci"])
def test_nearly_equal_columns_are_named(method):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    x[1:, 1] += 0.7 * x[:-1, 0]
    celsius = np.round(10 + 5 * x[:, 0], 2)
    x = np.column_stack([celsius, np.round(1.8 * celsius + 32, 1), x[:, 1:]])
    names = ["C", "F", "melt", "d"]
    found = jc.discover(x, 2, names=names, method=method, progress=False)
    (note,) = of_columns(found, "nearly equal")
    assert "C and F." in note
    assert "Leave one out" in note
    assert not of_columns(found, "copies of one another")
    x[:, 1] = 1.8 * celsius + 32 + 0.3 * rng.normal(size=400)
    found = jc.discover(x, 2, names=names, method=method, progress=False)
    assert not of_columns(found, "nearly equal")


@pytest.mark.parametrize("noise", [0, 1e-3])
@pytest.mark.parametrize("sign", [1, -2])
def test_the_past_of_another_column_is_named(noise, sign):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    x[1:, 2] = sign * x[:-1, 0] + noise * rng.normal(size=299)
    x[50, 0] = np.nan
    found = jc.discover(x, 2, names=["a", "b", "s"], method="var", progress=False)
    (note,) = of_columns(found, "the past of others")
    assert ": s(t) and a(t-1)." in note


def test_counts_have_their_singular():
    x = np.random.default_rng(0).normal(size=(12, 2))
    x[[3, 7], 0] = np.nan
    few = " ".join(notes_on_windows(as_series_table(x), 3, 1, 1))
    assert few.startswith("1 of 10 windows of 3 rows was used; 9 hold a missing value.")
    assert "1 window is few for the 1 parameter of" in few
    assert "; 1 holds a missing value." in notes_on_windows(as_series_table(x), 3, 9, 0)[0]


def test_slow_columns_and_copies_are_not_called_nearly_equal():
    rng = np.random.default_rng(0)
    slow = np.cumsum(np.cumsum(rng.normal(size=(500, 2)), 0), 0)
    x = np.column_stack([slow, slow[:, 0]])
    found = jc.discover(x, 2, method="pc", detrend=None, progress=False)
    assert of_columns(found, "copies of one another", "X0 and X2")
    assert not of_columns(found, "r² >")


def test_discrete_columns_are_those_of_the_series_as_it_was_read():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(420, 3))
    x[:, 1] = rng.integers(0, 2, 420)
    x[:, 2] = np.arange(420) % 7
    names = ["a", "b", "day"]
    found = jc.discover(x, 1, names=names, method="var", detrend=7, progress=False)
    (note,) = of_columns(found, "Discrete columns")
    assert ": b (2), day (7)." in note
