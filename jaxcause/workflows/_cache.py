"""What one process compiled, the next one loads: JAX's persistent cache, while a call runs.

The programs lie in ``jaxcause/xla`` of the user's folder for caches. ``JAXCAUSE_CACHE=off`` turns
this off, ``JAXCAUSE_CACHE=/a/folder`` names another folder. A cache that the user gave JAX is left
as it is, and so is every setting of JAX after the call.
"""

import contextlib
import functools
import hashlib
import os
import platform
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jaxcause._errors import InputError

SWITCH = "JAXCAUSE_CACHE"
MOST_BYTES = 256 * 2**20
MOST_PROGRAMS = 512
"""Before JAX adds a program it looks at every file of the folder, some 50 µs each."""

FIRST_JAXLIB = (0, 10, 2)
"""Older ones refuse, on some processors, the programs that they compiled themselves."""

SECONDS_FOR_LOCK = 10.0

_lock = threading.Lock()
_n_users = 0
_before: dict[str, Any] = {}
_meanwhile: dict[str, Any] = {}
"""The user's settings of JAX, and those in their place while calls run."""


@contextlib.contextmanager
def kept_programs() -> Iterator[None]:
    """Keep compiled programs for the next process, inside ``with`` or a decorated function.

    Calls may be nested, and may run in several threads. Another thread that compiles in the
    meantime shares the cache.
    """
    if not _begin():
        yield
        return
    try:
        yield
    finally:
        _end()


def cache_folder() -> Path | None:
    """The folder of compiled programs, which need not exist; None if they are not kept.

    Raises:
        InputError: ``JAXCAUSE_CACHE`` is neither ``off`` nor a whole path.
    """
    asked = os.environ.get(SWITCH, "")
    if asked.lower() == "off":
        return None
    if not asked:
        caches = _user_caches()
        return None if caches is None else caches / "jaxcause" / "xla" / _processor()
    folder = Path(os.path.expanduser(asked))
    if not folder.is_absolute():
        raise InputError(f"{SWITCH}={asked!r} is no whole path; give off or a path from the root")
    return folder / _processor()


def _begin() -> bool:
    """Turn the cache on, unless the user chose one; whether it is on."""
    global _n_users
    with _lock:
        if _n_users == 0:
            folder = None if _chosen_by_user() else _usable_folder()
            if folder is None:
                return False
            settings = _settings(folder)
            _before.update(_present(settings))
            _meanwhile.update(settings)
            _update(settings)
        _n_users += 1
    return True


def _chosen_by_user() -> bool:
    """Whether JAX was given a cache, or was told to have none."""
    folder, enabled = "jax_compilation_cache_dir", "jax_enable_compilation_cache"
    chosen = _present([folder, enabled])
    return chosen[folder] is not None or not chosen[enabled]


def _end() -> None:
    """Give the settings back as they were before the first of the calls that run."""
    global _n_users
    with _lock:
        _n_users -= 1
        if _n_users == 0:
            # What somebody set while a call ran stays set.
            present = _present(_before)
            _update({n: v for n, v in _before.items() if present[n] == _meanwhile[n]})


def _settings(folder: Path) -> dict[str, Any]:
    return {
        "jax_compilation_cache_dir": str(folder),
        "jax_compilation_cache_max_size": MOST_BYTES,
        # Most programs are small, and there are many of them.
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
        # What XLA would keep beside them has no bound.
        "jax_persistent_cache_enable_xla_caches": "none",
    }


def _present(names: Iterable[str]) -> dict[str, Any]:
    import jax

    return {name: getattr(jax.config, name) for name in names}


def _update(settings: dict[str, Any]) -> None:
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    for name, value in settings.items():
        jax.config.update(name, value)
    # JAX holds on to the first folder that it used.
    compilation_cache.reset_cache()


def _usable_folder() -> Path | None:
    """The folder if it can be written; one that was asked for by name and cannot is told once."""
    folder = cache_folder()
    if folder is None:
        return None
    reason = _obstacle(folder)
    if reason and os.environ.get(SWITCH):
        _tell(f"{SWITCH}={folder.parent}: {reason}, so compiled programs are not kept")
    return None if reason else folder


@functools.cache
def _tell(message: str) -> None:
    warnings.warn(message, stacklevel=2)


@functools.cache
def _obstacle(folder: Path) -> str:
    """Why programs cannot be kept there; empty if they can. Asked once in a process."""
    import jaxlib.version

    if jaxlib.version.__version_info__ < FIRST_JAXLIB:
        return f"jaxlib is older than {'.'.join(map(str, FIRST_JAXLIB))}"
    try:
        import filelock

        # Whoever may write there may run code in this process.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The lock that JAX takes.
        with filelock.FileLock(folder / ".lockfile", timeout=SECONDS_FOR_LOCK):
            _tidy(folder)
    except (OSError, NotImplementedError, ImportError) as error:
        return f"it cannot be used ({getattr(error, 'strerror', None) or error})"
    return "" if os.access(folder, os.W_OK) else "it cannot be written"


def _tidy(folder: Path) -> None:
    """Remove programs that a killed process left half written, and the oldest of too many."""
    programs = {path.name.removesuffix("-cache"): path for path in folder.glob("*-cache")}
    times = {path.name.removesuffix("-atime"): path for path in folder.glob("*-atime")}
    # JAX writes the time last; without it a program may be half written, and no other is added.
    for name in programs.keys() ^ times.keys():
        (programs | times)[name].unlink(missing_ok=True)
    kept = programs.keys() & times.keys()
    if len(kept) <= MOST_PROGRAMS:
        return
    used = sorted(kept, key=lambda name: times[name].stat().st_mtime_ns, reverse=True)
    for name in used[MOST_PROGRAMS * 3 // 4 :]:
        programs[name].unlink(missing_ok=True)
        times[name].unlink(missing_ok=True)


def _user_caches() -> Path | None:
    """The user's folder for caches; None without a home."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    windows = sys.platform == "win32"
    named = os.environ.get("LOCALAPPDATA" if windows else "XDG_CACHE_HOME", "")
    default = home / "AppData" / "Local" if windows else home / ".cache"
    return Path(named) if named and Path(named).is_absolute() else default


@functools.cache
def _processor() -> str:
    """A name of the kind of processor: machines that share a home cannot share machine code."""
    about = [platform.machine(), os.environ.get("PROCESSOR_IDENTIFIER", "")]
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if not line.strip():
                break
            if line.startswith(("model name", "flags", "Features", "CPU ")):
                about.append(line.strip())
    return f"{platform.machine()}-{hashlib.sha256(repr(about).encode()).hexdigest()[:12]}"
