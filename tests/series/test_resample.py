"""Coarser series: blocks of rows, grids of time, the rule that suggests a factor."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxcause import InputError
from jaxcause.series import (
    SeriesTable,
    as_series_table,
    blocks_of,
    resampled,
    row_seconds,
    suggested_factor,
    window_starts,
    with_targets,
)
from jaxcause.series._durations import as_seconds, in_words

FINITE = st.floats(-1e6, 1e6)


@st.composite
def tables(draw):
    """A series of some stretches, with missing values."""
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    n_rows, n_vars = sum(lengths), draw(st.integers(1, 4))
    values = draw(arrays(np.float64, (n_rows, n_vars), elements=FINITE))
    holes = draw(arrays(bool, (n_rows, n_vars)))
    segment = np.repeat(np.arange(len(lengths)) * 2, lengths)
    names = tuple(f"v{k}" for k in range(n_vars))
    return SeriesTable(np.where(holes, np.nan, values), names, segment)


def blocks_if_any(table, factor):
    try:
        return blocks_of(table, factor)
    except InputError:
        assert np.unique(table.segment, return_counts=True)[1].max() < factor
        return None


@given(tables(), st.integers(2, 6))
@settings(max_examples=150, deadline=None)
def test_a_block_is_the_mean_of_rows_of_one_stretch(table, factor):
    blocks = blocks_if_any(table, factor)
    if blocks is None:
        return
    coarse = blocks.means(table)
    for block in range(len(coarse.values)):
        rows = np.flatnonzero(blocks.of_row == block)
        assert (np.diff(rows) == 1).all()
        assert len(rows) == factor
        assert set(table.segment[rows]) == {coarse.segment[block]}
        for found, column in zip(coarse.values[block], table.values[rows].T, strict=True):
            known = column[~np.isnan(column)]
            if 2 * len(known) >= factor and len(known):
                assert found == pytest.approx(known.mean(), rel=1e-9, abs=1e-6)
            else:
                assert np.isnan(found)
    left = np.flatnonzero(blocks.of_row < 0)
    for stretch in np.unique(table.segment):
        of_stretch = np.flatnonzero(table.segment == stretch)
        dropped = np.intersect1d(left, of_stretch)
        assert len(dropped) == len(of_stretch) % factor
        assert dropped.tolist() == of_stretch[len(of_stretch) - len(dropped) :].tolist()


@given(tables(), st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_the_mean_of_whole_stretches_is_kept(table, factor):
    whole = table._replace(values=np.nan_to_num(table.values))
    blocks = blocks_if_any(whole, factor)
    if blocks is not None:
        kept = whole.values[blocks.of_row >= 0]
        coarse = blocks.means(whole).values
        np.testing.assert_allclose(coarse.mean(axis=0), kept.mean(axis=0), rtol=1e-9, atol=1e-6)


@given(tables(), st.integers(1, 6), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_columns_does_not_matter(table, factor, random):
    if factor > 1 and blocks_if_any(table, factor) is None:
        return
    order = list(range(len(table.names)))
    random.shuffle(order)
    shuffled = table._replace(values=table.values[:, order])
    np.testing.assert_array_equal(
        resampled(shuffled, factor).values, resampled(table, factor).values[:, order]
    )


@given(tables(), st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_no_window_of_blocks_crosses_a_gap(table, factor):
    blocks = blocks_if_any(table, factor)
    if blocks is None:
        return
    coarse = blocks.means(table)
    for start in window_starts(np.ones(len(coarse.values), bool), coarse.segment, length=2):
        rows = np.flatnonzero(np.isin(blocks.of_row, [start, start + 1]))
        assert (np.diff(rows) == 1).all()
        assert len(set(table.segment[rows])) == 1


@given(tables())
@settings(max_examples=20, deadline=None)
def test_a_factor_of_one_changes_nothing(table):
    assert blocks_of(table, 1) is None
    assert resampled(table, 1) is table


@given(tables(), st.integers(2, 5), st.data())
@settings(max_examples=100, deadline=None)
def test_targets_and_labels_follow(table, factor, data):
    blocks = blocks_if_any(table, factor)
    if blocks is None:
        return
    n_rows = len(table.values)
    targets = data.draw(arrays(bool, n_rows))
    labels = data.draw(arrays(np.int64, n_rows, elements=st.integers(0, 3)))
    rows = [np.flatnonzero(blocks.of_row == k) for k in range(len(blocks.segment))]
    expected = [bool(targets[some].all()) for some in rows]
    if any(expected):
        found = blocks.means(table._replace(targets=targets)).targets
        assert found.tolist() == expected
    else:
        with pytest.raises(InputError, match="mask leaves no block"):
            blocks.means(table._replace(targets=targets))
    most = [int(np.bincount(labels[some]).argmax()) for some in rows]
    assert blocks.most_frequent("domain", labels).tolist() == most
    assert blocks.n_mixed(labels) == sum(len(set(labels[some].tolist())) > 1 for some in rows)


def frame(n_rows=240, freq="15min", keep=None):
    x = np.random.default_rng(0).normal(size=(n_rows, 3))
    found = pd.DataFrame(x, columns=list("abc"))
    found.insert(0, "date", pd.date_range("2024-01-01", periods=n_rows, freq=freq))
    return found if keep is None else found[keep]


@pytest.mark.parametrize(
    "duration", ["1h", "60 min", "3600s", pd.Timedelta("1h"), datetime.timedelta(hours=1),
                 np.timedelta64(1, "h")],
)  # fmt: skip
def test_a_duration_of_regular_times_is_a_number_of_rows(duration):
    table = as_series_table(frame())
    assert row_seconds(table) == 900
    by_time, by_rows = resampled(table, duration), resampled(table, 4)
    np.testing.assert_array_equal(by_time.values, by_rows.values)
    np.testing.assert_array_equal(by_time.times.seconds, by_rows.times.seconds)
    assert by_time.notes[-1].startswith(
        "One row is now the mean of 4 rows, so one lag is 4 rows, 1"
    )
    assert row_seconds(by_time) == 3600


def test_a_grid_of_irregular_times_is_that_of_pandas():
    keep = np.random.default_rng(1).random(960) < 0.4
    times = frame(960)
    times["date"] += pd.to_timedelta(np.random.default_rng(2).integers(0, 600, 960), unit="s")
    given_ = times[keep]
    table = as_series_table(given_)
    assert row_seconds(table) is None
    blocks = blocks_of(table, "1h")
    theirs = given_.set_index("date").resample("1h").mean()
    np.testing.assert_allclose(blocks.means(table).values, theirs.to_numpy())
    assert blocks.factor is None
    assert blocks.length == "1 hour"
    n_empty = int(theirs["a"].isna().sum())
    assert f"of which {n_empty} " in blocks.notes[0]


def test_a_cell_of_regular_times_with_gaps_needs_half_of_its_rows():
    keep = np.ones(240, bool)
    keep[[1, 5, 6, 9, 10, 11]] = False
    blocks = blocks_of(as_series_table(frame(keep=keep)), "1h")
    coarse = blocks.means(as_series_table(frame(keep=keep)))
    assert coarse.complete[:4].tolist() == [True, True, False, True]
    assert coarse.complete[3:].all()
    assert len(set(coarse.segment)) == 1


def test_long_holes_end_a_stretch_and_series_never_meet():
    keep = np.ones(2400, bool)
    keep[800:1600] = False
    table = as_series_table(frame(2400, keep=keep))
    coarse = resampled(table, "1h")
    assert len(coarse.values) == 400
    assert np.unique(coarse.segment, return_counts=True)[1].tolist() == [200, 200]
    first, second = frame(101, keep=np.arange(101) != 50), frame(240).iloc[101:]
    together = as_series_table([first, second])
    blocks = blocks_of(together, "1h")
    for block in range(len(blocks.segment)):
        assert len(set(together.times.series[blocks.of_row == block])) <= 1
    assert (np.diff(blocks.means(together).segment) >= 0).all()


@pytest.mark.parametrize(
    ("resample", "message"),
    [
        (0, "resample=0 must be a whole number of at least 1"),
        ("soon", "resample='soon' must be a number of rows such as 12, a duration such as '3h'"),
        (2.5, "resample=2.5 must be a number of rows"),
        (True, "resample=True must be"),
        ("20min", "no multiple of the time between rows, 15 minutes; give 15 minutes or 30 min"),
        ("5min", "no multiple of the time between rows, 15 minutes; give 15 minutes or 30 min"),
        (1000, "resample=1000 leaves no row: the longest unbroken stretch .* has 240 rows"),
    ],
)
def test_what_cannot_be_is_refused(resample, message):
    with pytest.raises(InputError, match=message):
        resampled(as_series_table(frame()), resample)


def test_a_duration_needs_times():
    with pytest.raises(InputError, match="needs a column of dates .* give a number of rows"):
        resampled(as_series_table(np.eye(9)[:, :3]), "1h")
    numbered = pd.DataFrame({"t": np.arange(9.0), "a": np.arange(9) ** 2, "b": np.arange(9) % 3})
    with pytest.raises(InputError, match="needs a column of dates"):
        resampled(as_series_table(numbered), "1h")


@given(st.floats(1e-3, 1e9))
def test_words_for_durations_are_near_them(seconds):
    count, unit = in_words(seconds).split()
    sizes = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
    assert float(count) * sizes[unit.rstrip("s")] == pytest.approx(seconds, rel=0.006)
    assert as_seconds("resample", "90s") == 90


def smooth(n_rows, n_vars, seed=0, width=40):
    noise = np.random.default_rng(seed).normal(size=(n_rows + 2 * width, n_vars))
    kernel = np.hanning(width)
    return np.stack([np.convolve(column, kernel, mode="same") for column in noise.T], axis=1)


@pytest.mark.parametrize("n_vars", [2, 5])
def test_a_finely_sampled_series_is_found(n_vars):
    table = as_series_table(smooth(4000, n_vars))
    factor = suggested_factor(table, 5)
    assert 2 <= factor <= 16
    assert suggested_factor(resampled(table, factor), 5) == 1


@pytest.mark.parametrize("seed", range(8))
def test_noise_autoregressions_and_random_walks_are_left_alone(seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(2000, 4))
    slow = noise.copy()
    for t in range(1, len(slow)):
        slow[t] += 0.97 * slow[t - 1]
    for x in (noise, slow, np.cumsum(noise, axis=0)):
        assert suggested_factor(as_series_table(x), 5) == 1


def test_enough_rows_are_left():
    table = as_series_table(smooth(1000, 30))
    assert 1000 / suggested_factor(table, 5) >= 1.2 * 30 * 5
    assert suggested_factor(as_series_table(smooth(80, 3, width=20)), 5) == 1


def test_published_series_of_other_fields_are_left_alone(data):
    rivers = pd.read_csv(data / "rivers" / "rivers.csv")
    assert suggested_factor(as_series_table(rivers), 5) == 1
    finance = np.load(data / "tcdf_finance" / "random-rels_20_1A.npz")["x"]
    assert suggested_factor(as_series_table(finance), 5) == 1
    flood = pd.read_csv(data / "causalrivers_flood" / "rivers_ts_flood.csv")
    assert suggested_factor(as_series_table(flood.iloc[:, :6]), 5) > 1


def test_targets_of_a_mask():
    table = with_targets(as_series_table(frame(8)), [True] * 6 + [False, True])
    assert resampled(table, 4).targets.tolist() == [True, False]
