"""Discovery on series that stay on disk: the graph is that of the series in memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_cases import blocks_of, driven, on_file

import jaxcause as jc
from jaxcause import InputError
from jaxcause._stored import StoredRows, on_disk
from jaxcause.cli import main
from jaxcause.io import read_series
from jaxcause.series import SeriesTable

QUICK = {"method": "var", "transform": "standardise"}


def stored_table(x, segment=None):
    segment = np.zeros(len(x), np.int64) if segment is None else segment
    return SeriesTable(on_disk(x), ("X0", "X1", "X2"), segment)


def assert_same(found, whole):
    assert isinstance(found.series.values, StoredRows)
    assert found.names == whole.names
    np.testing.assert_array_equal(found.graph.marks, whole.graph.marks)
    for name in ("scores", "strength"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(whole, name), rtol=1e-9, atol=1e-10
        )
    for name in ("mean", "low", "high", "share", "deviation"):
        one, other = (getattr(result.effects, name) for result in (found, whole))
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
    assert found.info.provenance == whole.info.provenance
    assert found.info.n_windows == whole.info.n_windows


@given(
    seed=st.integers(0, 1000),
    n_values=st.integers(8, 3000),
    method=st.sampled_from(["var", "pc", "pcmci", "pcmci+", "lasso"]),
    transform=st.sampled_from(["standardise", "copula", "difference", "auto"]),
    n_missing=st.sampled_from([0, 6]),
)
@settings(max_examples=8, deadline=None)
def test_a_streamed_result_is_that_in_memory(seed, n_values, method, transform, n_missing):
    x = driven(seed, 300, n_missing)
    segment = np.repeat([0, 1], 150)
    table = SeriesTable(x, ("X0", "X1", "X2"), segment)
    whole = jc.discover(table, 2, method=method, transform=transform)
    # All rows are in the sample, on which a transform is chosen and ranks are taken.
    with blocks_of(n_values, in_memory=1000):
        found = jc.discover(stored_table(x, segment), 2, method=method, transform=transform)
        assert_same(found, whole)
        responses = [r.respond({"X0": 1.0}, steps=2).response for r in (found, whole)]
    np.testing.assert_allclose(*responses, atol=1e-10)


def test_a_mask_of_rows_holds_on_disk():
    x = driven(0, 400)
    mask = np.arange(400) % 100 < 60
    whole = jc.discover(x, 2, mask=mask, **QUICK)
    with blocks_of(100):
        assert_same(jc.discover(stored_table(x), 2, mask=mask, **QUICK), whole)


def test_rows_that_are_left_out_are_counted_in_a_note(tmp_path):
    x = driven(0, 4000)
    with blocks_of(900, in_memory=6000):
        found = jc.discover(on_file(x, tmp_path), 2, method="var")
        assert_same(found, jc.discover(x, 2, method="var"))
        [note] = [note for note in found.info.notes if "stretches" in note]
        ranks = jc.discover(on_file(x, tmp_path), 2, method="pc", transform="copula").info.notes
    assert note == (
        "The transform was chosen on 1,984 of the 4,000 rows of the series, which stays on disk, "
        "in 32 stretches spread evenly over it."
    )
    assert any(note.startswith("The ranks of transform='copula' were taken from") for note in ranks)


def test_trends_of_a_series_on_disk_are_not_looked_for(tmp_path):
    x = driven(0, 4000)
    with blocks_of(900, in_memory=6000):
        found = jc.discover(on_file(x, tmp_path), 2, method="var")
        silent = jc.discover(on_file(x, tmp_path), 2, method="var", detrend=None)
        with pytest.raises(InputError, match="stays on disk; take the trend out before"):
            jc.discover(on_file(x, tmp_path), 2, method="var", detrend=12)
    assert any("Trend and seasons were not looked for" in note for note in found.info.notes)
    assert not any("Trend" in note for note in silent.info.notes)


def test_the_longest_lag_is_chosen_on_a_sample_that_is_told(tmp_path):
    with blocks_of(900, in_memory=6000):
        found = jc.discover(on_file(driven(0, 4000), tmp_path), "auto", **QUICK)
    assert any(note.startswith("max_lag was chosen on 1,984 of the") for note in found.info.notes)


def test_the_forecaster_trains_on_a_sample_that_is_told(tmp_path):
    x = driven(0, 4000)
    training = jc.training.TrainingConfig(n_steps=2, batch_size=8)
    how = {"model": {"width": 8, "depth": 1, "n_heads": 1}, "training": training, "n_windows": 32}
    with blocks_of(900, in_memory=3000):
        found = jc.discover(on_file(x, tmp_path), 2, progress=False, **how)
        with pytest.raises(InputError, match="domain is given for each row, but method='gradient'"):
            jc.discover(on_file(x, tmp_path), 2, domain=np.zeros(4000, int))
    assert found.series.values.shape == (992, 3)
    assert len(np.unique(found.series.segment)) == 32
    assert any(
        note.startswith("method='gradient' used 992 of the 4,000 rows") for note in found.info.notes
    )
    # The fingerprint is that of the whole series.
    whole = jc.discover(x, 2, **QUICK)
    assert found.info.provenance["fingerprint"] == whole.info.provenance["fingerprint"]


REFUSED = [
    ({"method": "pc", "missing": "testwise"}, "missing='testwise' holds all windows in memory"),
    ({**QUICK, "resample": 3}, "resample=3 is not for a series that stays on disk"),
]


@pytest.mark.parametrize(("how", "message"), REFUSED)
def test_what_cannot_be_streamed_is_refused_in_one_line(how, message):
    with blocks_of(300), pytest.raises(InputError, match=message) as raised:
        jc.discover(stored_table(driven(0, 400, 5)), 2, **how)
    assert "\n" not in str(raised.value)


def test_what_a_result_cannot_do_on_disk_is_refused_in_one_line():
    with blocks_of(300):
        found = jc.discover(stored_table(driven(0, 400)), 2, **QUICK)
        with pytest.raises(InputError, match="stays on disk; give a part of it"):
            found.over_time()


def test_a_constant_column_on_disk_is_named(tmp_path):
    x = driven(0, 400)
    x[:, 1] = 2.0
    with blocks_of(300), pytest.raises(InputError, match="'X1' is constant"):
        jc.discover(on_file(x, tmp_path), 2, **QUICK)
    x = driven(0, 400)
    x[200, 2] = np.inf
    with blocks_of(300), pytest.raises(InputError, match="'X2' holds an infinite value in row 201"):
        jc.discover(on_file(x, tmp_path), 2, **QUICK)


def parquet(x, path, rows_per_group=70):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    time = np.datetime64("2020-01-01", "s") + np.arange(len(x)) * np.timedelta64(60, "s")
    columns = {"time": time, **dict(zip(["a", "b", "c"], x.T, strict=True))}
    pq.write_table(pa.table(columns), path, row_group_size=rows_per_group)
    return path


@pytest.fixture
def small_budget(monkeypatch):
    monkeypatch.setattr("jaxcause.io._larger_than_memory.memory_budget", lambda: 40.0 * 500)


def test_files_larger_than_memory_stay_on_disk(tmp_path, small_budget):
    x = driven(0, 300, 3)
    np.save(tmp_path / "x.npy", x)
    for path in (tmp_path / "x.npy", parquet(x, tmp_path / "x.parquet")):
        whole = read_series(path)
        with blocks_of(200):
            table = read_series(path)
            assert isinstance(table.values, StoredRows)
            np.testing.assert_array_equal(table.values[0:300], x)
            assert set(whole.notes) < set(table.notes)
            assert f"{path.name} stays on disk, since" in " ".join(table.notes)
            found = jc.discover(table, 2, **QUICK)
        assert_same(found, jc.discover(whole, 2, **QUICK))
        with blocks_of(200):
            assert read_series(path, drop=[table.names[1]]).names == table.names[::2]


def test_damaged_files_larger_than_memory_are_named(tmp_path, small_budget):
    x = driven(0, 300)
    np.save(tmp_path / "x.npy", x)
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-800])
    path = parquet(x, tmp_path / "x.parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    with blocks_of(200):
        with pytest.raises(InputError, match=r"x.npy: array 'values' claims .* bytes"):
            read_series(tmp_path / "x.npy")
        with pytest.raises(InputError, match=r"x.parquet is damaged after [\d,]+ of 300 rows"):
            read_series(path)


def test_record_batches_are_one_series(tmp_path):
    x = driven(0, 300)
    path = parquet(x, tmp_path / "x.parquet")
    from pyarrow import parquet as pq

    whole = jc.discover(read_series(path), 2, **QUICK)
    with blocks_of(200), pq.ParquetFile(path) as file:
        assert_same(jc.discover(file.iter_batches(40), 2, **QUICK), whole)


def test_the_command_line_streams_what_does_not_fit(tmp_path, small_budget, capsys):
    np.save(tmp_path / "x.npy", driven(0, 300))
    out = str(tmp_path / "out")
    with blocks_of(200):
        assert main(["discover", str(tmp_path / "x.npy"), "--method", "var", "--out", out]) == 0
    assert "x.npy stays on disk" in capsys.readouterr().out
