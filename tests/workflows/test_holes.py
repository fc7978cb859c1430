"""Missing values, and masks of the rows that may be predicted, in every method of `discover`."""

import json

import jax
import numpy as np
import pytest
import scipy.stats

import jaxcause as jc
from jaxcause.cli._main import main
from jaxcause.discovery._pcmci.student_test import StudentTest
from jaxcause.series import as_series_table, with_missing_value, with_targets
from jaxcause.stats import DeletionTest, partial_correlation_test_from_data
from jaxcause.training import TrainingConfig
from jaxcause.workflows import methods
from jaxcause.workflows._discover.windows import holed_windows

QUICK = {"model": "small", "training": TrainingConfig(4, batch_size=4), "skip": True}
CLASSICAL = ("var", "lasso", "pc", "pcmci", "pcmci+")
TESTWISE = ("pc", "pcmci", "pcmci+")


def options_of(method):
    return QUICK | {"progress": False} if method == "gradient" else {}


def holed(seed, n_vars=8, n_rows=500, share=0.02):
    """A chain of eight variables with own memory, 2 % of whose values are missing."""
    rng = np.random.default_rng(seed)
    x, truth = rng.normal(size=(n_rows, n_vars)), np.zeros((n_vars, n_vars, 6), bool)
    for v in range(n_vars):
        truth[v, v, 1] = True
        if v:
            truth[v - 1, v, 1 + v % 3] = True
    for t in range(5, n_rows):
        for v in range(n_vars):
            x[t, v] += 0.4 * x[t - 1, v] + (0.3 * x[t - 1 - v % 3, v - 1] if v else 0)
    x[rng.random(x.shape) < share] = np.nan
    return x, truth


@pytest.mark.parametrize("method", TESTWISE)
def test_tests_use_the_windows_that_they_find_whole(method):
    dropped, testwise = [], []
    for seed in range(3):
        x, truth = holed(seed)
        for scores, missing in ((dropped, "window"), (testwise, "testwise")):
            found = jc.discover(x, 5, method=method, missing=missing)
            there = np.asarray(found.graph.directed)
            hit = (there & truth).sum()
            scores.append(2 * hit / (there.sum() + truth.sum()))
        assert found.info.n_windows > 450
        assert any("two lagged variables share" in note for note in found.info.notes)
    # The windows of PC are half as long, so that more of them are whole.
    assert np.mean(testwise) > np.mean(dropped) + (0 if method == "pc" else 0.05)


def test_the_windows_of_each_test_are_counted():
    x, _ = holed(0)
    table = as_series_table(x)
    found = holed_windows(table, 11, "standardise")
    assert (~np.isnan(np.lib.stride_tricks.sliding_window_view(x, 11, 0))).all((1, 2)).sum() < 110
    starts = np.flatnonzero(~np.isnan(x[10:]).all(axis=1))
    windows = x[starts[:, None] + np.arange(10, -1, -1)].reshape(len(starts), -1)
    whole = ~np.isnan(windows)
    rng = np.random.default_rng(1)
    rows = np.stack([rng.permutation(88)[:6] for _ in range(40)])
    rows[:, 4:][rng.random((40, 2)) < 0.3] = -1
    fisher = DeletionTest(found.samples)
    student = StudentTest(found.samples, len(windows))
    result = student(rows[:, 0], rows[:, 1], rows[:, 2:])
    for row, r, p in zip(rows, result.statistic, result.p_value, strict=True):
        columns = row[row >= 0]
        cut = windows[whole[:, columns].all(axis=1)][:, columns]
        assert len(cut) > 400 > 2 * 110
        plain = StudentTest(np.corrcoef(cut.T), len(cut))
        alone = plain(np.zeros(1, int), np.ones(1, int), np.arange(2, len(columns))[None])
        assert (r, p) == pytest.approx((alone.statistic[0], alone.p_value[0]))
        by_hand = partial_correlation_test_from_data(cut)(0, 1, np.arange(2, len(columns)))
        assert fisher(row[0], row[1], row[2:]).p_value == pytest.approx(by_hand.p_value)


def hubs(seed, n_rows=400):
    """Two causes with strong effects on four variables, each a step later."""
    rng = np.random.default_rng(seed)
    x, truth = rng.normal(size=(n_rows, 6)), np.zeros((6, 6), bool)
    truth[:2, 2:] = truth[np.diag_indices(6)] = True
    for t in range(1, n_rows):
        x[t] += 0.5 * x[t - 1]
        x[t, 2:] += x[t - 1, 0] + x[t - 1, 1]
    x[rng.random(x.shape) < 0.05] = np.nan
    return x, truth


def test_strong_common_causes_give_no_false_edges():
    """With correlations by pairs more than half of the edges of PCMCI were false here."""
    n_false = n_found = 0
    for seed in range(4):
        x, truth = hubs(seed)
        there = np.asarray(jc.discover(x, 3, method="pcmci", missing="testwise").graph.directed)
        n_false += (there[:, :, 1:].any(axis=2) & ~truth).sum()
        n_found += there[:, :, 1:].any(axis=2).sum()
        assert (there[:, :, 1] | ~truth).all()
    assert n_false / n_found < 0.2


def regression_on_whole_windows(x, target, parents, length):
    """Coefficients and their half-widths on the windows of so many rows without a hole."""
    rows = np.lib.stride_tricks.sliding_window_view(x, length, 0)
    rows = rows[~np.isnan(rows).any(axis=(1, 2))]
    design = np.column_stack([rows[:, v, -1 - lag] for v, lag in parents] + [np.ones(len(rows))])
    beta, left = np.linalg.lstsq(design, rows[:, target, -1], rcond=None)[:2]
    degrees = len(rows) - design.shape[1]
    error = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * left / degrees)
    return beta[:-1], (error * scipy.stats.t.ppf(0.975, degrees))[:-1]


@pytest.mark.parametrize("method", ["var", "pc", "pcmci", "pcmci+"])
def test_effects_come_from_the_windows_that_were_tested(method):
    # Holes of one column spoil most windows; the regressions of the others would not need these.
    x = np.random.default_rng(0).normal(size=(300, 3))
    x[1:, 1] += 0.7 * x[:-1, 0]
    x[2:, 2] -= 0.6 * x[:-2, 1]
    x[20:280:3, 1] = np.nan
    options = {} if method == "var" else {"missing": "window"}
    found = jc.discover(x, 2, method=method, transform="standardise", **options)
    assert found.graph.directed.any()
    for target in range(3):
        parents = np.argwhere(np.asarray(found.graph.directed)[:, target])
        if not len(parents):
            continue
        cell = parents[:, 0], target, parents[:, 1]
        length = 5 if method.startswith("pcmci") else 3
        beta, half = regression_on_whole_windows(x, target, parents, length)
        low, high = (np.asarray(part)[cell] for part in (found.effects.low, found.effects.high))
        np.testing.assert_allclose((low + high) / 2, beta, rtol=1e-6)
        np.testing.assert_allclose((high - low) / 2, half, rtol=1e-6)


def test_effects_of_masked_windows_are_those_that_were_tested():
    x = np.random.default_rng(0).normal(size=(40, 3))
    x[1:, 1] += 0.7 * x[:-1, 0]
    x[2:, 2] -= 0.6 * x[:-2, 1]
    x[5:35:3, 1] = np.nan
    found = jc.discover(
        x, 2, missing="mask", transform="standardise", model="small", progress=False
    )
    assert found.info.selection == "t-tests"
    edges = np.asarray(found.graph.directed)
    effects = np.abs(found.effects.standardised)[edges]
    np.testing.assert_allclose(effects, np.asarray(found.strength)[edges], rtol=0.1)
    assert any("took them at their mean" in note for note in found.info.notes)


@pytest.mark.parametrize("method", TESTWISE)
def test_without_holes_testwise_changes_nothing(method):
    x, _ = holed(1, n_vars=4, n_rows=200, share=0)
    plain, testwise = (jc.discover(x, 2, method=method, missing=m) for m in ("window", "testwise"))
    np.testing.assert_array_equal(plain.graph.marks, testwise.graph.marks)
    np.testing.assert_array_equal(plain.scores, testwise.scores)
    assert plain.info.notes == testwise.info.notes


@pytest.mark.parametrize("method", TESTWISE)
@pytest.mark.parametrize("share", [0.002, 0.2])
def test_holes_in_most_windows_are_left_to_the_tests_by_default(method, share):
    x, _ = holed(0, n_vars=5, n_rows=300, share=share)
    by_default = jc.discover(x, 2, method=method)
    by_test = any("missing='testwise'" in note for note in by_default.info.notes)
    assert by_test == (share > 0.1)
    chosen = jc.discover(x, 2, method=method, missing="testwise" if by_test else "window")
    np.testing.assert_array_equal(by_default.graph.marks, chosen.graph.marks)


def test_few_complete_rows_make_no_column_redundant():
    x = np.random.default_rng(0).normal(size=(200, 6))
    x[np.arange(200), np.arange(200) % 6] = np.nan
    x[:5] = np.random.default_rng(1).normal(size=(5, 6))
    found = jc.discover(x, 1, method="pcmci")
    assert not any("combinations" in n or "copies" in n for n in found.info.notes)
    copied = np.column_stack([x, 2 * x[:, 0] + 1])
    found = jc.discover(copied, 1, method="pcmci")
    (note,) = [n for n in found.info.notes if "cop" in n]
    assert "X0 and X6" in note


def test_windows_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setenv("JAXCAUSE_MEMORY", "300MB")
    x = np.random.default_rng(0).normal(size=(60_000, 10))
    x[5, 5] = np.nan
    with pytest.raises(jc.InputError, match="values with holes needs about .*use missing='window'"):
        jc.discover(x, 5, method="pcmci", missing="testwise")


def test_too_few_common_windows_are_refused():
    x = np.random.default_rng(0).normal(size=(40, 2))
    x[::2, 0] = x[1::2, 1] = np.nan
    with pytest.raises(jc.InputError, match="share 0 complete rows"):
        jc.discover(x, 1, method="pcmci", missing="testwise")


@pytest.mark.parametrize("method", ["var", "lasso"])
def test_regressions_have_no_pairs(method):
    with pytest.raises(jc.InputError, match="missing is not an option"):
        jc.discover(np.zeros((9, 2)), 1, method=method, missing="testwise")


# A number that stands for a missing value ---------------------------------------------------------


@pytest.mark.parametrize("method", [*CLASSICAL, "gradient"])
def test_a_number_may_stand_for_a_missing_value(method):
    x, _ = holed(2, n_vars=3, n_rows=120)
    flagged = np.where(np.isnan(x), -999.0, x)
    flagged[0, 0], x[0, 0] = -888.0, np.nan
    call = {"method": method, **options_of(method)}
    by_nan = jc.discover(x, 1, **call)
    by_flag = jc.discover(flagged, 1, missing_value=[-999, -888], **call)
    np.testing.assert_array_equal(by_nan.graph.marks, by_flag.graph.marks)
    np.testing.assert_array_equal(by_nan.scores, by_flag.scores)
    assert any("missing_value=-888 " in note and "1 times" in note for note in by_flag.info.notes)


def test_flags_are_found_in_single_precision_or_said_to_be_nowhere():
    x = np.arange(8, dtype=np.float32).reshape(4, 2) ** 1.5
    x[1, 0] = -999.9
    table = with_missing_value(as_series_table(x), -999.9)
    assert table.complete.tolist() == [True, False, True, True]
    assert "1 of 4 rows has a missing value." in table.notes
    assert "it occurs nowhere" in with_missing_value(as_series_table(x), -1).notes[0]


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("x", "must be a number"),
        (True, "must be a number"),
        (np.nan, "must be finite"),
        (2.0, "Column 'X0' is constant"),
        ([2.0, 1.0], "Column 'X0' has no values"),
    ],
)
def test_flags_that_cannot_be(flag, message):
    table = as_series_table(np.array([[1.0, 5.0], [2.0, 6.0], [1.0, 7.0]]))
    with pytest.raises(jc.InputError, match=message):
        with_missing_value(table, flag)


# A mask of the rows that may be predicted ---------------------------------------------------------


def seasons(seed, n_rows=1200, length=60):
    """In summer a drives b at lag 1, in winter b drives a at lag 2; both remember themselves."""
    rng = np.random.default_rng(seed)
    x, summer = rng.normal(size=(n_rows, 3)), np.arange(n_rows) // length % 2 == 0
    for t in range(2, n_rows):
        x[t] += 0.3 * x[t - 1]
        if summer[t]:
            x[t, 1] += 0.7 * x[t - 1, 0]
        else:
            x[t, 0] += 0.7 * x[t - 2, 1]
    return x, summer


@pytest.mark.parametrize("method", [*CLASSICAL, "gradient"])
def test_a_season_has_its_own_coupling(method):
    x, summer = seasons(0)
    options = {"method": method, "names": ["a", "b", "c"]}
    if method == "gradient":
        options |= {"progress": False, "training": TrainingConfig(20), "model": "small"}
        options |= {"skip": True}
    strength = []
    for mask in (summer, ~summer):
        found = jc.discover(x, 2, mask=mask, key=jax.random.key(0), **options)
        both = found.graph.directed[0, 1, 1], found.graph.directed[1, 0, 2]
        # The lasso keeps more than the true edges; of so few candidates the null is rough.
        assert both == (mask[0], ~mask[0]) or method in ("lasso", "gradient")
        strength.append((found.strength[0, 1, 1], found.strength[1, 0, 2]))
        (note,) = [note for note in found.info.notes if "outside the mask" in note]
        length = 5 if method.startswith("pcmci") else 3
        every = len(x) - length + 1
        used = int(mask[length - 1 :].sum())
        assert note == (
            f"{used:,} of {every:,} windows of {length} rows were used; "
            f"{every - used:,} predict a row outside the mask."
        )
    assert strength[0][0] > 3 * strength[0][1]
    assert strength[1][1] > 3 * strength[1][0]


@pytest.mark.parametrize("method", [*CLASSICAL, "gradient", "auto", "testwise", "hidden"])
def test_rows_that_are_no_past_of_the_mask_change_nothing(method):
    """Rows outside the mask and beyond the windows that end in it are swapped at will."""
    x, summer = seasons(1, n_rows=480 if method in ("gradient", "hidden") else 240)
    summer &= np.arange(len(x)) > 20
    max_lag = 2
    options = {"method": method, "max_lag": max_lag, **options_of(method)}
    if method == "hidden":
        options |= {"method": "gradient", "latents": True, "contemporaneous": True}
        options |= options_of("gradient")
    if method == "testwise":
        options |= {"method": "pcmci", "missing": "testwise"}
        x[25::40, 1] = np.nan
    if method == "auto":
        options["max_lag"] = "auto"
    # Chosen lags reach further back, as do the instruments of hidden causes.
    past = 5 * max_lag if method in ("auto", "hidden") else 2 * max_lag
    near = np.zeros(len(x), bool)
    for t in np.flatnonzero(summer):
        near[max(0, t - past) : t + 1] = True
    free = np.flatnonzero(~near)
    assert len(free) > 40
    swapped = x.copy()
    swapped[free] = x[np.random.default_rng(0).permutation(free)] * 3 + 100
    slow = method in ("gradient", "hidden")
    for transform in ("standardise",) if slow else ("standardise", "copula"):
        one, other = (
            jc.discover(data, mask=summer, transform=transform, **options) for data in (x, swapped)
        )
        np.testing.assert_array_equal(one.graph.marks, other.graph.marks)
        np.testing.assert_array_equal(one.scores, other.scores)
        assert one.info.notes == other.info.notes


@pytest.mark.parametrize("method", CLASSICAL)
def test_a_mask_of_everything_changes_next_to_nothing(method):
    x, _ = seasons(2, n_rows=200)
    plain = jc.discover(x, 2, method=method)
    masked = jc.discover(x, 2, method=method, mask=np.ones(200, bool))
    np.testing.assert_array_equal(plain.graph.marks, masked.graph.marks)
    np.testing.assert_allclose(plain.scores, masked.scores, atol=1e-9)


def test_masks_of_several_series_are_given_one_by_one():
    x, summer = seasons(3, n_rows=200)
    parts, masks = [x[:120], x[120:]], [summer[:120], summer[120:]]
    one = jc.discover(parts, 2, method="var", mask=masks)
    other = jc.discover(parts, 2, method="var", mask=summer)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert one.info.provenance["fingerprint"] == other.info.provenance["fingerprint"]
    plain = jc.discover(parts, 2, method="var")
    assert plain.info.provenance["fingerprint"] != one.info.provenance["fingerprint"]
    tables = [with_targets(as_series_table(p), m) for p, m in zip(parts, masks, strict=True)]
    np.testing.assert_array_equal(jc.discover(tables, 2, method="var").scores, one.scores)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(3, bool), "shape \\(3,\\), but the series has 60 rows"),
        (np.ones(60), "mask holds float64; give a boolean"),
        (np.zeros(60, bool), "False everywhere"),
        (np.arange(60) < 2, "mask leaves no window"),
    ],
)
def test_masks_that_cannot_be(mask, message):
    x = np.random.default_rng(0).normal(size=(60, 2))
    for method in (*CLASSICAL, "gradient"):
        with pytest.raises(jc.InputError, match=message):
            jc.discover(x, 3, method=method, mask=mask)


def test_a_method_that_knows_no_mask_refuses_one():
    class Mine(methods.Method):
        name = "mine"

        @classmethod
        def options(cls):
            return ()

    x = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(jc.InputError, match="mask is not for method='mine'"):
        jc.discover(x, 2, method=Mine(), mask=np.ones(60, bool))


# Notes and the command line -----------------------------------------------------------------------


@pytest.mark.parametrize("method", CLASSICAL)
def test_few_windows_are_said_to_be_few(method):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    x[1:, 1] += 2 * x[:-1, 0]
    x[30, 2] = np.nan
    short = jc.discover(x[:18], 3, method=method)
    # The sets of PC have no member in so short a series.
    few = any("fewer than 10 for each" in note for note in short.info.notes)
    assert few == (method != "pc")
    holed_once = jc.discover(x, 3, method=method)
    assert any("hold a missing value" in note for note in holed_once.info.notes)
    x = rng.normal(size=(2000, 4))
    whole = jc.discover(x, 2, method=method)
    assert not any("windows" in note for note in whole.info.notes)


@pytest.mark.parametrize("method", ["auto", *CLASSICAL])
def test_the_command_line_takes_flags_and_masks(method, tmp_path, capsys):
    x, summer = seasons(0, n_rows=280)
    x[50, 0] = -999
    header = "a,b,c,summer\n"
    cells = np.column_stack([x, summer])
    rows = (",".join(f"{v:.6f}" for v in row) for row in cells)
    (tmp_path / "s.csv").write_text(header + "\n".join(rows) + "\n")
    call = ["discover", str(tmp_path / "s.csv"), "--max-lag", "2", "--method", method, "--json"]
    more = ["--quiet", "--out", str(tmp_path / "out"), "--missing-value", "-999"]
    assert main([*call, *more, "--mask-column", "summer"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {edge["source"] for edge in found["graph"]["edges"]} <= {"a", "b", "c"}
    assert any("outside the mask" in note for note in found["notes"])
    assert any("missing_value=-999" in note for note in found["notes"])
    for flags, message in (
        (("--mask-column", "a"), "--mask-column 'a' must hold 0 and 1 only"),
        (("--mask-column", "d"), "--mask-column 'd' is not a column"),
    ):
        assert main([*call, *more, *flags]) == 2
        assert message in capsys.readouterr().err
