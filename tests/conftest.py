"""Strict numerics, executed annotations, and where the reference data lie."""

import os

from compilation import settings

# Threads of BLAS beside those of XLA make small problems a thousand times slower.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
os.environ.update(settings() | os.environ)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "agg"
# Tests compile what they run, and leave nothing in the home of whoever runs them.
os.environ["JAXCAUSE_CACHE"] = "off"

import signal
from pathlib import Path

import jax
import jaxtyping
import pytest
import typechecker

typechecker.install()

from jaxcause import _small_work  # noqa: E402 (the hook comes first)

jax.config.update("jax_enable_x64", os.environ.get("JAXCAUSE_TEST_X64", "1") == "1")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# In the background of a shell a process ignores Ctrl-C, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Scripts that need PyTorch, tigramite, or a process of their own; not tests.
collect_ignore = [
    "reference/make_model_goldens.py",
    "reference/make_pcmci_goldens.py",
    "discovery/on_mesh.py",
    "on_two_devices.py",
    "searches_on_two_devices.py",
    "work_on_mesh.py",
]

# A single module was seen to add 20,000.
MOST_MAPPINGS = 30_000

SHARED = Path(__file__).parents[2] / "shared"


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run studies of minutes")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="a study of minutes; run with --slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="module", autouse=True)
def bounded_mappings():
    """Forget compiled programs before the kernel's limit on mappings (65,530) ends the process.

    Every compiled program holds a few; a whole run compiles more than one process may hold.
    """
    yield
    mappings = Path("/proc/self/maps")
    if mappings.exists() and mappings.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()


@pytest.fixture(autouse=True)
def checks_of_its_own():
    """A test checks the annotations of its own first calls, whatever ran before it."""
    typechecker.begin_test()


@pytest.fixture(autouse=True)
def no_work_yet(monkeypatch):
    """Work adds up until it is compiled; no test depends on the work of tests before it."""
    monkeypatch.setattr(_small_work, "_spent", {})
    monkeypatch.setattr(_small_work, "_before", {})


@pytest.fixture
def compiled(monkeypatch):
    """Compile small work as well, which would otherwise run in numpy."""
    monkeypatch.setattr(_small_work, "PATIENCE", 0.0)


@pytest.fixture(params=["numpy", "xla"])
def engine(request, monkeypatch):
    """Run a test with work in numpy, and again with all of it compiled."""
    monkeypatch.setattr(_small_work, "PATIENCE", float("inf") if request.param == "numpy" else 0.0)
    monkeypatch.setattr(_small_work, "_spent", {})
    return request.param


@pytest.fixture
def untyped():
    """Let bad input through the annotations, as a user without the import hook would."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def fixtures():
    """Folder of reference cases."""
    folder = SHARED / "fixtures"
    if not folder.is_dir():
        pytest.skip("the reference cases lie beside the repository, and are absent here")
    return folder


@pytest.fixture(scope="session")
def data():
    """Folder of real data sets."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the data sets lie beside the repository, and are absent here")
    return folder
