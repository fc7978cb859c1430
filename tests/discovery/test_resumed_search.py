"""A search that was killed goes on from its last level, to the same result bit for bit."""

import itertools

import jax
import numpy as np
import pytest
from contracts.test_searches import RegressionTest
from kills import dies_in_write

import jaxcause as jc
from jaxcause import InputError, _small_work
from jaxcause.discovery import _entry
from jaxcause.discovery._host import evaluator
from jaxcause.graph import BackgroundKnowledge

SEARCHES = [jc.pc, jc.fci, jc.icd]


def data(n_graphs=None, n=6, seed=0):
    """Samples of a chain with shortcuts, which takes a few levels."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(*((n_graphs,) if n_graphs else ()), 200, n))
    for k in range(1, n):
        x[..., k] += 0.6 * x[..., k - 1] + 0.4 * x[..., max(0, k - 3)]
    return x


def fresh(monkeypatch):
    """What a new process knows of the work of numpy: nothing."""
    monkeypatch.setattr(_small_work, "_spent", {})
    monkeypatch.setattr(_small_work, "_before", {})


def assert_same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def killed_at_every_write(run, path, monkeypatch, *, step=1):
    """Kill a call in each of its writes, go on, and compare; returns how often."""
    fresh(monkeypatch)
    whole = run(None)
    for k in itertools.count(0, step):
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        fresh(monkeypatch)
        if not dies_in_write(lambda: run(path), k, monkeypatch):
            return k // step
        fresh(monkeypatch)
        assert_same(run(path), whole)
    raise AssertionError("unreachable")


@pytest.mark.parametrize("search", SEARCHES)
def test_a_search_killed_at_any_level_ends_the_same(search, tmp_path, monkeypatch):
    x = data()
    run = lambda path: search(x, alpha=0.05, checkpoint=path)  # noqa: E731
    assert killed_at_every_write(run, tmp_path / "c", monkeypatch) >= 3
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("search", SEARCHES)
def test_a_batch_in_several_chunks_too(search, tmp_path, monkeypatch):
    monkeypatch.setattr(_entry, "PAIRS_PER_CHUNK", 2 * 5 * 5)
    x = data(n_graphs=3, n=5)
    run = lambda path: search(x, alpha=0.05, checkpoint=path)  # noqa: E731
    assert killed_at_every_write(run, tmp_path / "c", monkeypatch, step=3) >= 2
    assert {file.name for file in tmp_path.iterdir()} == {"c", "c.1"}


@pytest.mark.parametrize("search", SEARCHES)
def test_options_and_knowledge_too(search, tmp_path, monkeypatch):
    x = data()
    test = jc.partial_correlation_test_from_data(x)
    forbidden = np.zeros((6, 6), bool)
    forbidden[4, 3] = forbidden[1, 5] = forbidden[5, 1] = True
    options = {
        "knowledge": BackgroundKnowledge(tiers=np.array([0, 0, 0, 1, 1, 1]), forbidden=forbidden),
        "node_mask": np.arange(6) != 2,
        "max_cond_size": 2,
        "sepset": "first",
    }
    options |= {"colliders": "majority"} if search is jc.pc else {}
    run = lambda path: search(test, checkpoint=path, **options)  # noqa: E731
    assert killed_at_every_write(run, tmp_path / "c", monkeypatch) >= 2


def test_programs_are_compiled_when_the_whole_search_compiles_them(tmp_path, monkeypatch):
    """Numpy and XLA round differently, and work adds up over the levels until XLA takes over."""
    x = data()
    spent = []
    real = _small_work.pays_to_compile

    def noted(*args):
        spent.append(real(*args))
        return spent[-1]

    for module in ("jaxcause.discovery._kernel.gaussian", "jaxcause._small_work"):
        monkeypatch.setattr(f"{module}.pays_to_compile", noted)
    monkeypatch.setattr(_small_work, "PATIENCE", 1e-4)
    run = lambda path: jc.pc(x, alpha=0.05, checkpoint=path)  # noqa: E731
    killed_at_every_write(run, tmp_path / "c", monkeypatch)
    assert set(spent) == {False, True}


def test_levels_that_are_done_are_not_searched_again(tmp_path, monkeypatch):
    x, n_levels = data(), []
    call = evaluator.Evaluator.__call__

    def counted(self, rows, size):
        n_levels.append(size)
        return call(self, rows, size)

    monkeypatch.setattr(evaluator.Evaluator, "__call__", counted)
    for search in SEARCHES:
        n_levels.clear()
        path = tmp_path / search.__name__
        first = search(x, alpha=0.05, checkpoint=path)
        assert max(n_levels) > 1
        n_levels.clear()
        assert_same(search(x, alpha=0.05, checkpoint=path), first)
        assert n_levels == []


def test_a_test_of_ones_own(tmp_path, monkeypatch):
    covariance = np.cov(data().T)
    run = lambda path: jc.pc(RegressionTest(covariance), checkpoint=path)  # noqa: E731
    assert killed_at_every_write(run, tmp_path / "c", monkeypatch, step=3) >= 1
    with pytest.raises(InputError, match="other data or settings"):
        jc.pc(RegressionTest(2 * covariance), checkpoint=tmp_path / "c")


@pytest.mark.parametrize("search", SEARCHES)
def test_the_file_of_another_search_is_refused(search, tmp_path):
    x, path = data(), tmp_path / "c"
    search(x, checkpoint=path)
    other_search = next(other for other in SEARCHES if other is not search)
    others = [
        lambda: search(x + 1e-3 * x**2, checkpoint=path),
        lambda: search(x, alpha=0.02, checkpoint=path),
        lambda: search(x, max_cond_size=3, checkpoint=path),
        lambda: search(x, sepset="first", checkpoint=path),
        lambda: search(x, node_mask=np.arange(6) > 0, checkpoint=path),
        lambda: search(x, knowledge=BackgroundKnowledge(tiers=np.arange(6)), checkpoint=path),
        lambda: search(x[:, :5], checkpoint=path),
        lambda: other_search(x, checkpoint=path),
    ]
    for other in others:
        with pytest.raises(InputError) as error:
            other()
        assert str(path) in str(error.value)
        assert "delete it to start anew" in str(error.value)


def test_a_damaged_file_is_refused(tmp_path):
    x, path = data(), tmp_path / "c"
    jc.icd(x, checkpoint=path)
    whole, random = path.read_bytes(), np.random.default_rng(0)
    damaged = [whole[:cut] for cut in random.integers(0, len(whole), 20).tolist()]
    for at in random.integers(0, len(whole), 40).tolist():
        damaged.append(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{path} is .*; delete it to start anew"):
            jc.icd(x, checkpoint=path)


def test_where_a_checkpoint_cannot_be(tmp_path):
    x = data()
    with pytest.raises(InputError, match="caps make one program of them; leave one"):
        jc.pc(x, caps=jc.Caps(4, 2), checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match="cannot read .*: Is a directory"):
        jc.pc(x, checkpoint=tmp_path)
    assert list(tmp_path.iterdir()) == []
