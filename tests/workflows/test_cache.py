"""Compiled programs are kept for the next process, where they may be, and JAX is left as it was."""

import json
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxcause as jc
from jaxcause._errors import InputError
from jaxcause.workflows import _cache
from jaxcause.workflows._cache import cache_folder, kept_programs

COUNTING = """
import collections, json, os, warnings
warnings.simplefilter("ignore")
import jax
events = collections.Counter()
jax.monitoring.register_event_listener(lambda event, **_: events.update([event]))
def told():
    name = "/jax/compilation_cache/"
    return json.dumps([events[name + "cache_hits"], events[name + "cache_misses"]])
"""
WORK = """
from jaxcause.workflows._cache import kept_programs
with kept_programs():
    jax.jit(lambda x: jax.numpy.sin(x) @ x)(jax.numpy.ones((3, 3))).block_until_ready()
"""
DISCOVER = """
import numpy as np, jaxcause as jc
x = np.random.default_rng(0).normal(size=(300, 3))
jc.discover(x, 2, progress=False)
assert jax.config.jax_compilation_cache_dir is None
"""


def start(code, **environment):
    """A process that says how many programs it found in the cache, and how many it added."""
    env = os.environ | {"JAX_ENABLE_X64": "1"} | environment
    for name in [name for name, value in env.items() if value is None]:
        del env[name]
    command = [sys.executable, "-c", f"{COUNTING}{code}\nprint(told())"]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    said, complaints = process.communicate(timeout=240)
    assert process.returncode == 0, complaints.decode()
    return tuple(json.loads(said.decode().splitlines()[-1]))


def count(code, **environment):
    return finish(start(code, **environment))


def kept(folder):
    return sorted(path.name for path in Path(folder).rglob("*-cache"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A folder of this test's own, and no memory of what other tests tried."""
    monkeypatch.setenv(_cache.SWITCH, str(tmp_path / "kept"))
    _cache._obstacle.cache_clear()
    _cache._tell.cache_clear()
    return tmp_path / "kept"


def settings():
    return {name: getattr(jax.config, name) for name in _cache._settings(Path("/"))}


@pytest.mark.parametrize("code", [WORK, DISCOVER], ids=["a program", "discover"])
def test_the_second_process_compiles_nothing(code, tmp_path):
    hits, misses = count(code, JAXCAUSE_CACHE=str(tmp_path))
    assert misses > 0
    assert hits == 0
    assert count(code, JAXCAUSE_CACHE=str(tmp_path)) == (misses, 0)
    assert len(kept(tmp_path)) == misses


@pytest.mark.skipif(sys.platform != "linux", reason="the folder differs")
def test_programs_lie_in_the_users_folder_for_caches(tmp_path):
    count(WORK, JAXCAUSE_CACHE=None, XDG_CACHE_HOME=str(tmp_path))
    assert kept(tmp_path / "jaxcause" / "xla")
    assert (tmp_path / "jaxcause" / "xla").stat().st_mode & 0o022 == 0


def test_two_processes_at_once_share_the_folder(tmp_path):
    both = [start(DISCOVER, JAXCAUSE_CACHE=str(tmp_path)) for _ in range(2)]
    for process in both:
        hits, misses = finish(process)
        assert hits + misses >= len(kept(tmp_path)) > 0
    assert count(DISCOVER, JAXCAUSE_CACHE=str(tmp_path))[1] == 0


def test_off_means_off_and_the_cache_that_the_user_chose_stays(tmp_path):
    own, ours = tmp_path / "own", tmp_path / "ours"
    assert count(WORK, JAXCAUSE_CACHE="off", XDG_CACHE_HOME=str(ours)) == (0, 0)
    chosen = {
        "JAX_COMPILATION_CACHE_DIR": str(own),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    assert count(WORK, JAXCAUSE_CACHE=str(ours), **chosen)[1] > 0
    assert count(WORK, JAXCAUSE_CACHE=str(ours), JAX_ENABLE_COMPILATION_CACHE="0") == (0, 0)
    assert kept(own)
    assert not ours.exists()


def test_importing_changes_no_setting():
    code = "import jaxcause.workflows._cache, jaxcause.workflows._discover.call\n"
    count(code + "assert jax.config.jax_compilation_cache_dir is None", JAXCAUSE_CACHE=None)


def test_a_folder_that_cannot_be_written_is_named_once_if_it_was_asked_for(cache):
    cache.write_text("a file, not a folder")
    with pytest.warns(UserWarning, match=f"JAXCAUSE_CACHE={cache}: it cannot be used"):
        with kept_programs():
            assert jax.config.jax_compilation_cache_dir is None
    with kept_programs():
        assert jax.config.jax_compilation_cache_dir is None


def test_a_home_that_cannot_be_written_is_no_news(cache, monkeypatch, tmp_path):
    (tmp_path / "home").write_text("a file, not a folder")
    monkeypatch.delenv(_cache.SWITCH)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with kept_programs():
        assert jax.config.jax_compilation_cache_dir is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write(cache):
    cache.mkdir(mode=0o500)
    with pytest.warns(UserWarning, match="Permission denied"), kept_programs():
        assert jax.config.jax_compilation_cache_dir is None


def test_an_old_jaxlib_keeps_nothing(cache, monkeypatch):
    monkeypatch.setattr("jaxlib.version.__version_info__", (0, 10, 1))
    with pytest.warns(UserWarning, match="jaxlib is older than 0.10.2"), kept_programs():
        assert jax.config.jax_compilation_cache_dir is None


@pytest.mark.parametrize("value", ["0", "on", "cache"])
def test_a_value_that_is_neither_off_nor_a_path_is_refused(value, monkeypatch):
    monkeypatch.setenv(_cache.SWITCH, value)
    with pytest.raises(InputError, match=f"JAXCAUSE_CACHE='{value}'"):
        cache_folder()


def test_discover_leaves_jax_as_it_was(cache, monkeypatch):
    jc.workflows.discover  # noqa: B018, loads the module
    before, during = settings(), []
    inside = sys.modules["jaxcause.workflows._discover.call"]
    check = inside._check_fits

    def watched(*arguments):
        during.append(jax.config.jax_compilation_cache_dir)
        return check(*arguments)

    monkeypatch.setattr(inside, "_check_fits", watched)
    jc.discover(np.random.default_rng(0).normal(size=(200, 2)), 1, method="var")
    assert during == [str(cache_folder())]
    assert settings() == before
    with pytest.raises(InputError):
        jc.discover(np.zeros((200, 2)), 1, method="var")
    assert settings() == before
    # What is compiled after the call is not kept.
    n_kept = len(kept(cache))
    jax.jit(lambda x: x - 12345.678)(1.0)
    assert len(kept(cache)) == n_kept


def test_calls_may_be_nested_and_run_in_threads(cache):
    before, inside = settings(), threading.Barrier(4, timeout=60)

    def work():
        with kept_programs():
            inside.wait()
            with kept_programs():
                assert jax.config.jax_compilation_cache_dir == str(cache_folder())
            assert jax.config.jax_compilation_cache_dir == str(cache_folder())
            inside.wait()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert settings() == before


def test_what_is_set_while_a_call_runs_stays_set(cache, tmp_path):
    before = jax.config.jax_compilation_cache_dir
    try:
        with kept_programs():
            jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_the_folder_is_bounded(cache, monkeypatch):
    program = b"x" * 1000
    monkeypatch.setattr(_cache, "MOST_BYTES", 20_000)
    with kept_programs():
        folder = cache_folder()
        for i in range(40):
            (folder / f"old{i}-cache").write_bytes(program)
            (folder / f"old{i}-atime").write_bytes(i.to_bytes(8, "little"))
        jax.jit(lambda x: jax.numpy.cos(x) * 3)(1.0)
    assert sum(path.stat().st_size for path in folder.glob("*-cache")) <= 20_000
    names = kept(cache)
    assert any(not name.startswith("old") for name in names)
    assert "old0-cache" not in names
    assert "old39-cache" in names


def test_old_and_half_written_programs_are_removed_by_the_next_process(cache, monkeypatch):
    monkeypatch.setattr(_cache, "MOST_PROGRAMS", 8)
    folder = cache_folder()
    folder.mkdir(parents=True)
    for i in range(10):
        (folder / f"n{i}-cache").write_bytes(b"x")
        (folder / f"n{i}-atime").write_bytes(b"x")
        os.utime(folder / f"n{i}-atime", (i, i))
    (folder / "half-cache").write_bytes(b"x")
    (folder / "lost-atime").write_bytes(b"x")
    with kept_programs():
        pass
    assert kept(cache) == [f"n{i}-cache" for i in range(4, 10)]
    assert len(list(folder.glob("*-atime"))) == 6


def test_a_program_that_cannot_be_read_is_compiled_again(tmp_path):
    count(WORK, JAXCAUSE_CACHE=str(tmp_path))
    for path in tmp_path.rglob("*-cache"):
        path.write_bytes(path.read_bytes()[:100])
    assert count(WORK, JAXCAUSE_CACHE=str(tmp_path))[0] == 0


def test_no_warning_while_all_is_well(cache):
    with warnings.catch_warnings(), kept_programs():
        warnings.simplefilter("error")
        jax.jit(lambda x: x * 98765.4)(1.0)
    assert kept(cache)
