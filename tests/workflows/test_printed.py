"""The printed table of edges: order, alignment, and self-edges apart."""

import numpy as np
import pytest

import jaxcause as jc
from jaxcause._checks import InputError
from jaxcause.workflows._discover.orders import SORTS
from jaxcause.workflows._discover.printed import edge_lines, even


def series(n, seed=0, rows=600):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, n))
    for t in range(1, rows):
        x[t] += 0.5 * x[t - 1] + 0.4 * np.roll(x[t - 1], 1)
    return x


@pytest.fixture(scope="module")
def wide():
    return jc.discover(series(14), 1, method="var", q=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_decimal_points_stand_below_one_another(seed):
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=8) * 10.0 ** rng.integers(-3, 5, size=8)).tolist() + [0.0, np.nan]
    cells = even(values)
    assert len({len(cell) for cell in cells}) == 1
    places = {cell.index(".") for cell in cells if "." in cell and "e" not in cell}
    assert len(places) == 1
    for cell, value in zip(cells[:8], values, strict=False):
        assert float(cell) == pytest.approx(value, rel=6e-3)


def test_cross_effects_come_first_in_every_order(wide):
    table, names = wide.table, set(wide.names)
    own = table["source"] == table["target"]
    assert 0 < own.sum() < len(table)
    assert not (np.diff(own.astype(int)) < 0).any()
    for sort in SORTS:
        lines = [line.split() for line in edge_lines(table, sort=sort, self_edges=True, most=99)]
        pairs = [(w[0], w[3]) for w in lines if w[0] in names]
        assert len(pairs) == len(table)
        loops = [a == b for a, b in pairs]
        assert loops == sorted(loops)


def test_sorting_by_p_value_and_effect(wide):
    head, *rows = edge_lines(wide.table, sort="p-value", self_edges=False, most=99)
    at = head.split().index("p-value")
    p = [float(row.split()[at]) for row in rows if row.split()[0] in wide.names]
    assert p == sorted(p)
    assert len(p) > 3
    head, *rows = edge_lines(wide.table, sort="effect", self_edges=False, most=99)
    at = head.split().index("effect")
    sizes = [abs(float(row.split()[at])) for row in rows if row.split()[0] in wide.names]
    assert sizes == sorted(sizes, reverse=True)
    with pytest.raises(InputError, match="sort='size'"):
        wide.summary(sort="size")


def test_self_edges_are_counted_where_they_are_not_listed(wide):
    assert len(wide.table) > 20
    said = wide.summary()
    assert "14 self-edges (a variable and its own past) not listed; --self-edges" in said
    listed = wide.summary(self_edges=True)
    assert "14 self-edges (a variable and its own past):" in listed
    few = jc.discover(series(3), 1, method="var", q=1e-4)
    assert "3 self-edges (a variable and its own past):" in few.summary()
    assert "not listed" in few.summary(self_edges=False)


@pytest.mark.parametrize("method", ["var", "lasso", "pc", "pcmci", "pcmci+"])
def test_every_method_names_its_transform_and_has_the_same_default(method):
    assert jc.methods.registered()[method]().transform == "auto"
    plain = jc.discover(series(3), 1, method=method)
    assert plain.info.transform == "standardise"
    assert plain.info.settings["transform"] == "auto"
    skewed = jc.discover(np.exp(2 * series(3)), 1, method=method)
    assert skewed.info.transform in ("log", "copula")
    for found in (plain, skewed):
        (note,) = [n for n in found.info.notes if "transform=" in n]
        assert f"transform='{found.info.transform}'" in note
    given = jc.discover(series(3), 1, method=method, transform="copula")
    assert "Columns were mapped to the normal quantiles of their ranks" in given.summary()
    short = jc.discover(series(3, rows=60), 1, method=method)
    assert "too short or too wide to compare transforms" in short.summary()


@pytest.mark.parametrize("method", ["var", "pc", "pcmci", "pcmci+"])
def test_p_and_q_values_stand_with_the_edges(method):
    found = jc.discover(series(3), 1, method=method)
    table = found.table
    assert np.isfinite(table["p_value"]).all()
    for edge, row in zip(found.to_dict()["edges"], found.graph.edges(found.names), strict=True):
        assert edge["source"] == row[0]
        assert 0 <= edge["p_value"] <= edge["q_value"] <= 1
    for source, target, numbers in found.to_networkx().edges(data=True):
        (row,) = table[
            (table["source"] == source)
            & (table["target"] == target)
            & (table["lag"] == numbers["lag"])
        ]
        assert numbers["q_value"] == row["q_value"]
        assert numbers["effect"] == row["effect"]
    again = type(found).from_json(found.to_json())
    np.testing.assert_array_equal(again.table, table)
