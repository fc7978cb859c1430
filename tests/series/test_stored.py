"""Rows that stay on disk: what is computed block by block is what is computed at once."""

import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_cases import blocks_of, driven, on_file

import jaxcause as jc
from jaxcause import InputError
from jaxcause._stored import ENDS, StoredRows, column_facts, held_rows, on_disk, stacked, stretches
from jaxcause.series import (
    TRANSFORMS,
    as_series_table,
    can_log,
    changes,
    fit_level,
    fit_transform,
    usable_windows,
    with_missing_value,
)
from jaxcause.series._lagged_correlation import correlation_of_windows
from jaxcause.stats import fit_var

seeds, sizes = st.integers(0, 1000), st.integers(1, 400)


def stored(values):
    return on_disk(values)


@given(seed=seeds, n_values=sizes, n_levels=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_facts_of_columns_are_those_of_the_whole(seed, n_values, n_levels):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, n_levels, (90, 2)) * 0.5
    x[rng.integers(0, 90, 9), 0] = np.nan
    with blocks_of(n_values):
        found = column_facts(stored(x))
        held = held_rows(stored(x))
    for fact, column in zip(found, x.T, strict=True):
        known = column[~np.isnan(column)]
        levels, counts = np.unique(known, return_counts=True)
        if len(levels) > 2 * ENDS:
            levels, counts = (np.r_[part[:ENDS], part[-ENDS:]] for part in (levels, counts))
        assert (fact.n_known, fact.first, fact.infinite) == (len(known), known[0], -1)
        np.testing.assert_array_equal(fact.levels, levels)
        np.testing.assert_array_equal(fact.counts, counts)
    np.testing.assert_array_equal(held.every, ~np.isnan(x).any(axis=1))


@given(seed=seeds, n_values=sizes, kind=st.sampled_from(TRANSFORMS))
@settings(max_examples=30, deadline=None)
def test_transforms_are_those_of_the_whole(seed, n_values, kind):
    x = np.abs(driven(seed, 80, 5))
    x[:4, 1] = np.nan
    with blocks_of(n_values, in_memory=1000):
        found, whole = fit_transform(stored(x), kind=kind), fit_transform(x, kind=kind)
        assert can_log(stored(x)) == can_log(x)
        shown = whole(x)
        for one, other in zip(found[1:], whole[1:], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found(stored(x))[0:80], shown, rtol=1e-10, atol=1e-10)


@given(seed=seeds, n_values=sizes, kind=st.sampled_from(["difference", "log_difference"]))
@settings(max_examples=20, deadline=None)
def test_changes_are_those_of_the_whole(seed, n_values, kind):
    x = np.abs(driven(seed, 60, 4))
    table = as_series_table([x[:25], x[25:]])
    with blocks_of(n_values):
        onto = table._replace(values=stored(x))
        found, whole = (changes(t, fit_level(t, kind)) for t in (onto, table))
        np.testing.assert_array_equal(found.segment, whole.segment)
        np.testing.assert_array_equal(found.values[0:60], whole.values)
        for masked in (False, True):
            at, other = (usable_windows(t, 3, mask_missing=masked) for t in (found, whole))
            np.testing.assert_array_equal(at, other)


@given(seed=seeds, n_values=sizes)
@settings(max_examples=20, deadline=None)
def test_regressions_and_correlations_are_those_of_the_whole(seed, n_values):
    x = driven(seed, 200)
    starts = np.arange(0, 190)
    whole, corr = fit_var(x, starts, max_lag=2), correlation_of_windows(x, starts, 4).corr
    with blocks_of(n_values):
        found = fit_var(stored(x), starts, max_lag=2)
        np.testing.assert_allclose(found.t_statistic, whole.t_statistic, rtol=1e-9, atol=1e-9)
        blocked = correlation_of_windows(stored(x), starts, 4).corr
    np.testing.assert_allclose(blocked, corr, atol=1e-12)


@given(rows=st.lists(st.integers(0, 49), min_size=1, max_size=20), n_values=sizes)
@settings(max_examples=40, deadline=None)
def test_an_index_gives_the_rows_of_the_array(rows, n_values):
    x = np.arange(100.0).reshape(50, 2)
    at = np.array(rows)
    parts = stacked([stored(x[:7]), x[7:20], stored(x[20:])])
    with blocks_of(n_values):
        for values in (stored(x), parts):
            np.testing.assert_array_equal(values[at], x[at])
            np.testing.assert_array_equal(values[at[:, None]], x[at[:, None]])
            np.testing.assert_array_equal(values[rows[0] :], x[rows[0] :])
            np.testing.assert_array_equal(values[:, 1], x[:, 1])
            np.testing.assert_array_equal(values[:, [1, 0]][3:9], x[3:9, ::-1])


def test_what_would_load_stored_rows_is_refused():
    values = stored(np.zeros((5, 2)))
    for load in (np.asarray, np.isnan, lambda v: v[::2], lambda v: v[1:, 0], lambda v: v[[True]]):
        with pytest.raises(InputError, match="stays on disk; give a part"):
            load(values)


def test_a_sample_is_spread_evenly_and_bounded():
    values = StoredRows((10_000, 5), lambda a, b: np.zeros((b - a, 5)))
    with blocks_of(100, in_memory=3200):
        parts = stretches(values)
    assert sum(p.stop - p.start for p in parts) * 5 <= 3200
    assert (parts[0].start, parts[-1].stop) == (0, 10_000)
    assert all(a.stop <= b.start for a, b in zip(parts, parts[1:], strict=False))


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system keeps its pages")
def test_pages_of_a_memory_map_are_let_go(tmp_path):
    values = on_file(np.ones((1 << 18, 8)), tmp_path)
    before = _resident_file_bytes()
    for block_sum in (part.sum() for part in map(on_disk(values).__getitem__, _slices(1 << 18))):
        assert block_sum > 0
    assert _resident_file_bytes() - before < values.nbytes / 4
    np.testing.assert_array_equal(values[:3], 1)


def _slices(n_rows):
    return [slice(first, first + 4096) for first in range(0, n_rows, 4096)]


def _resident_file_bytes():
    with open("/proc/self/status", encoding="ascii") as file:
        [line] = [line for line in file if line.startswith("RssFile")]
    return 1024 * int(line.split()[1])


def test_a_copy_on_write_map_keeps_what_was_written(tmp_path):
    on_file(np.ones((50, 2)), tmp_path)
    values = np.load(tmp_path / "series.npy", mmap_mode="c")
    values[3] = 7.0
    rows = on_disk(values)
    assert rows[0:10][3].tolist() == rows[0:10][3].tolist() == [7.0, 7.0]


def test_values_that_stand_for_missing_ones_are_masked_on_disk():
    x = driven(0, 60)
    x[5, 1] = x[50, 2] = -999.0
    table = as_series_table(x)
    with blocks_of(20):
        found = with_missing_value(table._replace(values=stored(x)), [-999, 7])
        whole = with_missing_value(table, [-999, 7])
        np.testing.assert_array_equal(found.values[0:60], whole.values)
    assert found.notes == whole.notes


class Zarrlike:
    """An array that only slices."""

    def __init__(self, values):
        self.shape, self.dtype, self.size, self.ndim = values.shape, values.dtype, values.size, 2
        self._values = values

    def __getitem__(self, rows):
        return self._values[rows]


Zarrlike.__module__ = "zarr.core.array"


def test_an_array_that_slices_stays_where_it_is():
    x = driven(1, 90)
    with blocks_of(50):
        table = as_series_table(Zarrlike(x.astype(np.float32)), names=["a", "b", "c"])
        assert isinstance(table.values, StoredRows)
        np.testing.assert_array_equal(table.values[0:90], x.astype(np.float32))


@given(cuts=st.lists(st.integers(0, 90), max_size=5), n_values=sizes)
@settings(max_examples=20, deadline=None)
def test_batches_are_one_series(cuts, n_values):
    x = driven(2, 90, 3)
    edges = [0, *sorted(cuts), 90]
    whole = as_series_table(x)
    for in_memory in (0, 1000):
        with blocks_of(n_values, in_memory=in_memory):
            table = as_series_table(x[a:b] for a, b in zip(edges, edges[1:], strict=False))
            assert isinstance(table.values, StoredRows) == (in_memory == 0)
            np.testing.assert_array_equal(table.values[0:90], whole.values)
            assert (table.names, table.notes) == (whole.names, whole.notes)
        np.testing.assert_array_equal(table.segment, whole.segment)


def test_batches_of_frames_keep_times_and_gaps():
    pd = pytest.importorskip("pandas")
    x = driven(3, 60)
    hours = np.delete(np.arange(61), 33)
    time = np.datetime64("2020-01-01", "s") + hours * np.timedelta64(3600, "s")
    frame = pd.DataFrame(x, columns=list("abc"))
    frame.insert(0, "time", time)
    whole = as_series_table(frame)
    table = as_series_table(frame[a : a + 20] for a in range(0, 60, 20))
    np.testing.assert_array_equal(table.segment, whole.segment)
    np.testing.assert_array_equal(table.times.seconds, whole.times.seconds)
    assert set(table.notes) == set(whole.notes)
    with pytest.raises(InputError, match="batch 1 begins at .*; give the batches in the order"):
        as_series_table(frame[a : a + 20] for a in (20, 0))


FAULTS = [
    ([], "gave no batch of rows"),
    ([np.ones((0, 2))], "gave no batch of rows"),
    ([np.eye(3), np.eye(2)], "batch 1 has other columns than the first one"),
    ([np.eye(3), np.array([["a", "b", "c"]])], "batch 1: series holds <U1 instead of numbers"),
    ([np.eye(3), np.ones(3)], r"batch 1: series has shape \(3,\)"),
    ([np.eye(3), 5], r"batch 1: series has shape \(\)"),
]


@pytest.mark.parametrize(("batches", "message"), FAULTS)
def test_a_fault_in_a_batch_is_named_in_one_line(batches, message):
    with pytest.raises(InputError, match=message) as raised:
        as_series_table(iter(batches))
    assert "\n" not in str(raised.value)


def test_a_fault_of_the_iterator_itself_comes_through():
    def broken():
        yield np.eye(3)
        raise RuntimeError("the network is gone")

    with pytest.raises(RuntimeError, match="the network is gone"):
        as_series_table(broken())


def test_several_series_of_which_one_is_on_disk(tmp_path):
    x, y = driven(4, 50), driven(5, 30)
    with blocks_of(40):
        table = as_series_table([on_file(x, tmp_path), y])
        assert isinstance(table.values, StoredRows)
        np.testing.assert_array_equal(table.values[0:80], np.concatenate([x, y]))
    np.testing.assert_array_equal(table.segment, [0] * 50 + [1] * 30)


def as_zarr(x, folder):
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    array = zarr.create_array(str(folder / "s.zarr"), shape=x.shape, chunks=(32, 2), dtype=x.dtype)
    array[:] = x
    return zarr.open_array(str(folder / "s.zarr"), mode="r")


def as_hdf5(x, folder):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(folder / "s.h5", "w") as file:
        file.create_dataset("series", data=x, chunks=(32, 2))
    return h5py.File(folder / "s.h5", "r")["series"]


@pytest.mark.parametrize("written", [as_zarr, as_hdf5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_arrays_of_the_libraries_themselves(written, dtype, tmp_path):
    x = (10 * driven(1, 400)).astype(dtype)
    array = written(x, tmp_path)
    with blocks_of(100):
        table = as_series_table(array, names=["a", "b", "c"])
        assert isinstance(table.values, StoredRows)
        np.testing.assert_array_equal(table.values[0:400], x)
        found = jc.discover(array, 2, method="var", transform="standardise")
    whole = jc.discover(x, 2, method="var", transform="standardise")
    np.testing.assert_array_equal(found.graph.marks, whole.graph.marks)
    np.testing.assert_allclose(found.scores, whole.scores, rtol=1e-8)
