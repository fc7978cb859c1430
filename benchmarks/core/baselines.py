"""The baselines: numpy, causal-learn, a prototype, and a plain ICD."""

import importlib.util
import math
import time
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import jax
import numpy as np

from benchmarks.core.problems import ALPHA
from benchmarks.core.timing import ROOT

HAS_CAUSAL_LEARN = importlib.util.find_spec("causallearn") is not None
CAUSAL_LEARN = f"causal-learn {version('causal-learn')}" if HAS_CAUSAL_LEARN else ""


def module_from(path: Path) -> ModuleType:
    """A module from a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numpy_icd() -> ModuleType:
    """The plain numpy ICD of the tests."""
    return module_from(ROOT / "tests" / "reference" / "numpy_icd.py")


def one_by_one(corr: np.ndarray, n_samples: int, queries: np.ndarray) -> np.ndarray:
    """Fisher's z of the queries ``(x, y, *S)``, one after another."""
    z = np.empty(len(queries))
    for row, query in enumerate(queries):
        inverse = np.linalg.inv(corr[np.ix_(query, query)])
        r = -inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1])
        z[row] = math.sqrt(n_samples - len(query) - 1) * abs(math.atanh(r))
    return z


def batched_inverse(corr: np.ndarray, n_samples: int, queries: np.ndarray) -> np.ndarray:
    """The same by one batched inverse."""
    inverse = np.linalg.inv(corr[queries[:, :, None], queries[:, None, :]])
    r = -inverse[:, 0, 1] / np.sqrt(inverse[:, 0, 0] * inverse[:, 1, 1])
    return math.sqrt(n_samples - queries.shape[1] - 1) * np.abs(np.arctanh(r))


def batched_solve(corr: np.ndarray, n_samples: int, queries: np.ndarray) -> np.ndarray:
    """The same by one batched solve for two right-hand sides."""
    ends, given = queries[:, :2], queries[:, 2:]
    across = corr[given[:, :, None], ends[:, None, :]]
    solved = np.linalg.solve(corr[given[:, :, None], given[:, None, :]], across)
    left = corr[ends[:, :, None], ends[:, None, :]] - np.swapaxes(across, 1, 2) @ solved
    r = left[:, 0, 1] / np.sqrt(left[:, 0, 0] * left[:, 1, 1])
    return math.sqrt(n_samples - queries.shape[1] - 1) * np.abs(np.arctanh(r))


class ClockedTest:
    """A test of causal-learn, and the time spent in it."""

    def __init__(self, data: np.ndarray) -> None:
        from causallearn.utils.cit import CIT

        self._test, self.method = CIT(data, "fisherz"), "fisherz"
        self.seconds, self.calls = 0.0, 0

    def __call__(self, x: int, y: int, given: tuple[int, ...]) -> float:
        """Run the test and add its time."""
        began = time.perf_counter()
        p_value = self._test(x, y, given)
        self.seconds += time.perf_counter() - began
        self.calls += 1
        return p_value


class Discovered(NamedTuple):
    """A skeleton of causal-learn, its total seconds, those in tests, and the number of tests."""

    adjacency: np.ndarray
    seconds: float
    in_tests: float
    n_tests: int


def causal_learn_skeleton(data: np.ndarray) -> Discovered:
    """PC-stable's skeleton by causal-learn."""
    from causallearn.utils.PCUtils.SkeletonDiscovery import skeleton_discovery

    test = ClockedTest(data)
    began = time.perf_counter()
    found = skeleton_discovery(data, ALPHA, test, stable=True, show_progress=False)
    seconds = time.perf_counter() - began
    return Discovered(found.G.graph != 0, seconds, test.seconds, test.calls)


def prototype_skeleton(prototype: ModuleType, test, n_samples: int) -> np.ndarray:
    """The skeleton by the prototype, in the precision of the test."""
    corr = np.asarray(test.corr)
    corr = corr if corr.ndim == 3 else corr[None]
    with jax.enable_x64(corr.dtype == np.float64):
        return np.asarray(prototype.skeleton(corr, n_samples, ALPHA, dtype=corr.dtype.type))
