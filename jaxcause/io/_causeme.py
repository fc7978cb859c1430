"""Result files of the CauseMe benchmark."""

import bz2
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.io._files import MAX_RATIO, read_bytes, write_whole

_MAX_UNPACKED = 64 * 2**20
Matrices = Sequence[Shaped[AnyArray, "..."]] | Shaped[AnyArray, "datasets ..."]
"""One matrix per data set."""

_HEAD = ("method_sha", "parameter_values", "model", "experiment")


class CauseMeResults(NamedTuple):
    """The content of a result file; matrices are ``[dataset, source, target]``.

    Args:
        scores: Confidence in each link, not negative.
        p_values: p-value of each link; None if absent.
        lags: Lag of each link; None if absent.
        runtimes: Seconds per data set; None if absent.
        head: ``method_sha``, ``parameter_values``, ``model`` and ``experiment``.
    """

    scores: Float[np.ndarray, "datasets vars vars"]
    p_values: Float[np.ndarray, "datasets vars vars"] | None
    lags: Int[np.ndarray, "datasets vars vars"] | None
    runtimes: Float[np.ndarray, "datasets"] | None
    head: dict[str, str]


def over_lags(
    scores: Float[AnyArray, "vars vars lags"],
    p_values: Float[AnyArray, "vars vars lags"] | None = None,
) -> tuple[
    Float[np.ndarray, "vars vars"],
    Int[np.ndarray, "vars vars"],
    Float[np.ndarray, "vars vars"] | None,
]:
    r"""One score, lag and p-value per pair of variables, from those of each lag.

    With :math:`L` lags from 1 on:

    .. math:: s_{ij} = \max_{\ell \ge 1} s_{ij\ell}, \quad
              \ell_{ij} = \arg\max_{\ell \ge 1} s_{ij\ell}, \quad
              p_{ij} = \min(1, L \min_{\ell \ge 1} p_{ij\ell})

    The factor L (Bonferroni) corrects for taking the smallest of L p-values.

    >>> s, lag, p = over_lags(np.array([[[0, 0.1, 0.9]]]), np.array([[[1, 0.5, 0.01]]]))
    >>> s.item(), lag.item(), p.item()
    (0.9, 2, 0.02)
    """
    values = np.asarray(scores)[:, :, 1:]
    n_lags = values.shape[2]
    if n_lags == 0:
        raise InputError("scores has lag 0 alone; CauseMe wants lags of at least 1")
    lags = values.argmax(axis=2) + 1
    if p_values is None:
        return values.max(axis=2), lags, None
    smallest = np.asarray(p_values)[:, :, 1:].min(axis=2)
    return values.max(axis=2), lags, np.minimum(1.0, n_lags * smallest)


def write_causeme(
    path: str | Path,
    scores: Matrices,
    *,
    method_sha: str,
    model: str,
    experiment: str,
    parameter_values: str = "",
    p_values: Matrices | None = None,
    lags: Matrices | None = None,
    runtimes: Sequence[float] | None = None,
) -> None:
    """Write a file for upload to CauseMe: JSON in bz2, one flattened matrix per data set.

    Args:
        path: The file; CauseMe's own scripts call it ``….json.bz2``.
        scores: One array per data set, in the order of the experiment's archive:
            ``[source, target]``, or ``[source, target, lag]``, which `over_lags` reduces.
        method_sha: The hash that CauseMe assigned to the method.
        model: The model, such as ``"linear-VAR"``.
        experiment: The experiment, such as ``"linear-VAR_N-3_T-150"``.
        parameter_values: The parameters, such as ``"maxlags=5"``.
        p_values: Arrays like ``scores``.
        lags: Whole numbers ``[source, target]``; lagged scores determine them.
        runtimes: Seconds per data set.

    Raises:
        InputError: A score is negative or not finite, shapes or numbers of data sets differ, or
            the file cannot be written.

    Source: https://causeme.uv.es, "HowTo".
    """
    lists: dict[str, list[np.ndarray]] = {"scores": [np.asarray(s) for s in scores]}
    if p_values is not None:
        lists["pvalues"] = [np.asarray(p) for p in p_values]
    if lags is not None:
        lists["lags"] = [np.asarray(lag) for lag in lags]
    _check_lists(lists, runtimes)
    if lists["scores"][0].ndim == 3:
        reduced = [
            over_lags(s, None if p_values is None else lists["pvalues"][k])
            for k, s in enumerate(lists["scores"])
        ]
        lists["scores"] = [s for s, _, _ in reduced]
        lists.setdefault("lags", [lag for _, lag, _ in reduced])
        if p_values is not None:
            lists["pvalues"] = [p for _, _, p in reduced if p is not None]
    head = (method_sha, parameter_values, model, experiment)
    document: dict[str, Any] = dict(zip(_HEAD, head, strict=True))
    document |= {name: [m.ravel().tolist() for m in arrays] for name, arrays in lists.items()}
    if runtimes is not None:
        document["runtimes"] = [float(seconds) for seconds in runtimes]
    write_whole(path, bz2.compress(json.dumps(document).encode()))


def read_causeme(path: str | Path) -> CauseMeResults:
    """Read a result file of CauseMe.

    Raises:
        InputError: The file cannot be read, is not a result file, or decompresses to far more than
            its size.
    """
    data = read_bytes(path)
    try:
        document = json.loads(_unpacked(data, path))
        scores = _matrices(document["scores"])
        return CauseMeResults(
            scores,
            _matrices(document["pvalues"]) if document.get("pvalues") else None,
            _matrices(document["lags"]).astype(np.int64) if document.get("lags") else None,
            np.array(document["runtimes"], np.float64) if document.get("runtimes") else None,
            {name: str(document.get(name, "")) for name in _HEAD},
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is no result file of CauseMe: {error!r}; write it again"
        ) from None


def _check_lists(lists: dict[str, list[np.ndarray]], runtimes: Sequence[float] | None) -> None:
    scores = lists["scores"]
    if not scores:
        raise InputError("scores is empty; give one matrix per data set")
    shape = scores[0].shape
    if len(shape) not in (2, 3) or shape[0] != shape[1]:
        raise InputError(f"scores has shape {shape}, but must be [source, target(, lag)]")
    for name, arrays in lists.items():
        wanted = shape[:2] if name == "lags" else shape
        if len(arrays) != len(scores) or any(array.shape != wanted for array in arrays):
            raise InputError(f"{name} must hold {len(scores)} arrays of shape {wanted}")
    if runtimes is not None and len(runtimes) != len(scores):
        raise InputError(f"runtimes has {len(runtimes)} entries for {len(scores)} data sets")
    if not all(np.isfinite(s).all() and (s >= 0).all() for s in scores):
        raise InputError("scores holds negative numbers or NaN; take absolute values")


def _unpacked(data: bytes, path: str | Path) -> bytes:
    limit = max(_MAX_UNPACKED, MAX_RATIO * len(data))
    unpacker = bz2.BZ2Decompressor()
    text = unpacker.decompress(data, max_length=limit + 1)
    if len(text) > limit:
        raise InputError(f"{path} unfolds into more than {limit:,} bytes; it is damaged or hostile")
    if not unpacker.eof:
        raise EOFError("it is cut off")
    return text


def _matrices(rows: Any) -> np.ndarray:
    flat = np.array(rows, np.float64)
    n_vars = round(flat.shape[-1] ** 0.5)
    return flat.reshape(-1, n_vars, n_vars)
