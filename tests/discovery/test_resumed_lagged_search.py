"""PCMCI, PCMCI+ and `refine` go on after they were killed, to the same result bit for bit."""

import sys

import numpy as np
import pytest
from discovery.test_resumed_search import assert_same, killed_at_every_write

from jaxcause import InputError
from jaxcause.discovery import lagged_correlation, pcmci, pcmci_plus, refine
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._pcmci import orientation
from jaxcause.discovery._pcmci.student_test import StudentTest
from jaxcause.discovery._refine import near_past, not_selected
from jaxcause.graph import LaggedGraph
from jaxcause.stats import holed_samples

N_VARS, MAX_LAG = 5, 2


def series(n=N_VARS, n_rows=400, seed=0):
    """A series with effects within a time step, later ones, and a hidden cause."""
    random = np.random.default_rng(seed)
    x, hidden = random.normal(size=(n_rows, n)), random.normal(size=n_rows)
    x[1:, 0] += hidden[:-1]
    x[2:, 1] += hidden[:-2]
    for t in range(2, n_rows):
        x[t] += 0.4 * x[t - 1]
        for k in range(1, n):
            x[t, k] += 0.3 * x[t, k - 1] + 0.3 * x[t - 2, (k + 2) % n]
    return x


def correlations(x):
    return lagged_correlation(x, np.arange(len(x) - 2 * MAX_LAG), max_lag=MAX_LAG)


def with_holes(x):
    x = x.copy()
    x[np.random.default_rng(1).random(x.shape) < 0.02] = np.nan
    windows = np.lib.stride_tricks.sliding_window_view(x, 2 * MAX_LAG + 1, axis=0)[..., ::-1]
    samples = holed_samples(windows.transpose(0, 2, 1).reshape(len(windows), -1))
    return samples, samples.n_samples


def by_target(x):
    corr, n = correlations(x)
    return np.stack([corr] * N_VARS), n


@pytest.fixture
def small_parts(monkeypatch):
    """Writes between few tests."""
    monkeypatch.setattr(sys.modules[pcmci.__module__], "LINKS_PER_BLOCK", 16)
    monkeypatch.setattr(orientation, "BATCH", 8)
    monkeypatch.setattr(orientation, "BATCHES_PER_SAVE", 2)
    monkeypatch.setattr(not_selected, "PAIRS_PER_SAVE", 16)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("data", [correlations, with_holes, by_target])
@pytest.mark.parametrize("pc_alpha", [0.2, [0.05, 0.2]])
def test_pcmci_killed_in_any_write_ends_the_same(data, pc_alpha, tmp_path, monkeypatch):
    given = data(series())
    run = lambda path: pcmci(*given, n_vars=N_VARS, pc_alpha=pc_alpha, checkpoint=path)  # noqa: E731
    assert killed_at_every_write(run, tmp_path / "c", monkeypatch) >= 6
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(("colliders", "n_kills"), [("majority", 8), ("none", 5)])
def test_pcmci_plus_too(colliders, n_kills, tmp_path, monkeypatch):
    given, options = correlations(series()), {"n_vars": N_VARS, "colliders": colliders}
    run = lambda path: pcmci_plus(*given, pc_alpha=0.05, checkpoint=path, **options)  # noqa: E731
    assert killed_at_every_write(run, tmp_path / "c", monkeypatch) >= n_kills


def edges():
    mask = np.zeros((N_VARS, N_VARS, MAX_LAG + 1), bool)
    mask[0, 1, 1] = True
    for k in range(N_VARS):
        mask[k, k, 1] = mask[(k + 2) % N_VARS, k, 2] = True
    return LaggedGraph.from_mask(mask)


def refined(x, path, **options):
    found = refine(edges(), x, latents=True, contemporaneous=True, checkpoint=path, **options)
    return found._replace(info=found.info._replace(seconds=0.0))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(("search", "n_kills"), [("near_past", 8), ("icd", 5)])
def test_refine_too(search, n_kills, tmp_path, monkeypatch):
    x = series()
    run = lambda path: refined(x, path, search=search, alpha=0.01)  # noqa: E731
    assert killed_at_every_write(run, tmp_path / "c", monkeypatch) >= n_kills


def test_what_is_done_is_not_tested_again(tmp_path, monkeypatch):
    x, given = series(), correlations(series())
    runs = [
        lambda: pcmci(*given, n_vars=N_VARS, checkpoint=tmp_path / "a"),
        lambda: pcmci_plus(*given, n_vars=N_VARS, colliders="none", checkpoint=tmp_path / "b"),
        lambda: refined(x, tmp_path / "c"),
    ]
    found = [run() for run in runs]

    def again(*_, **__):
        raise AssertionError("a test was made again")

    for place, name in [
        (StudentTest, "__call__"),
        (Evaluator, "__call__"),
        (not_selected, "p_values_given_past"),
        (near_past, "p_values_given_sets"),
    ]:
        monkeypatch.setattr(place, name, again)
    for run, first in zip(runs, found, strict=True):
        assert_same(run(), first)


def test_the_file_of_another_search_is_refused(tmp_path):
    x, path = series(), tmp_path / "c"
    given, other = correlations(x), correlations(x + 1e-3 * x**2)
    allowed = np.ones((N_VARS, N_VARS, MAX_LAG + 1), bool)
    allowed[0, 1, 1] = False
    pcmci(*given, n_vars=N_VARS, checkpoint=path)
    refined(x, tmp_path / "r")
    others = [
        lambda: pcmci(*other, n_vars=N_VARS, checkpoint=path),
        lambda: pcmci(given[0], given[1] - 1, n_vars=N_VARS, checkpoint=path),
        lambda: pcmci(*given, n_vars=N_VARS, pc_alpha=0.1, checkpoint=path),
        lambda: pcmci(*given, n_vars=N_VARS, max_cond_size=1, checkpoint=path),
        lambda: pcmci(*given, n_vars=N_VARS, allowed=allowed, checkpoint=path),
        lambda: pcmci(*given, n_vars=N_VARS, max_source_parents=1, checkpoint=path),
        lambda: pcmci_plus(*given, n_vars=N_VARS, pc_alpha=0.2, checkpoint=path),
        lambda: refined(x, path),
        lambda: refined(x + 1e-3 * x**2, tmp_path / "r"),
        lambda: refined(x, tmp_path / "r", alpha=0.01),
        lambda: refined(x, tmp_path / "r", n_rounds=2),
        lambda: refined(x, tmp_path / "r", search="icd"),
    ]
    for call in others:
        with pytest.raises(InputError, match="other data or settings; use those, or delete it"):
            call()


def test_a_damaged_file_is_refused(tmp_path):
    x, random = series(), np.random.default_rng(0)
    given, path = correlations(x), tmp_path / "c"
    for run in (
        lambda: pcmci_plus(*given, n_vars=N_VARS, checkpoint=path),
        lambda: refined(x, path),
    ):
        path.unlink(missing_ok=True)
        run()
        whole = path.read_bytes()
        for at in random.integers(0, len(whole), 10).tolist():
            for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]):
                path.write_bytes(content)
                with pytest.raises(InputError, match=f"{path} is .*; delete it to start anew"):
                    run()
