"""What measures are given: graphs as masks, and scores as ranks."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Num

from jaxcause._checks import InputError, is_concrete, numbers
from jaxcause._namespace import namespace, wide_float
from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, LaggedGraph

Mask = Bool[AnyArray, "..."] | Num[AnyArray, "..."] | Sequence[Any]
"""Edges, as booleans or as 0 and 1."""

Graph = LaggedGraph | CausalGraph | Mask

Scores = Num[AnyArray, "vars vars *lags"] | Bool[AnyArray, "vars vars *lags"] | Sequence[Any]


def edges_of(name: str, graph: Graph, summary: bool = False) -> Bool[AnyArray, "..."]:
    """Directed edges of what a caller gave under this name."""
    if isinstance(graph, LaggedGraph | CausalGraph):
        mask = graph.directed
    else:
        mask = numbers(name, graph)
        if mask.ndim not in (2, 3) or mask.shape[0] != mask.shape[1]:
            raise InputError(
                f"{name} has shape {mask.shape}, but a mask is [source, target] or [source, "
                "target, lag]"
            )
        if mask.dtype != bool:
            if is_concrete(mask):
                values = np.asarray(mask)
                other = values[(values != 0) & (values != 1)]
                if other.size:
                    raise InputError(
                        f"{name} holds {other[0]}, but edges are True and False, or 1 and 0; give "
                        f"{name} != 0 if every other number is an edge"
                    )
            mask = mask != 0
    return namespace(mask).any(mask, axis=-1) if summary and mask.ndim == 3 else mask


def ranked(
    scores: Scores, truth: Graph, summary: bool, diagonal: bool
) -> tuple[Int[AnyArray, "entries"], Bool[AnyArray, "entries"], Bool[np.ndarray, "entries"], Any]:
    """Ranks of flat scores (from 0, ties share one), truth, which entries count, and a dtype.

    The ranks hold all that measures need of scores, exactly and whatever their dtype; what does not
    count so has a place below or above all others. Where a traced score that counts is NaN, all
    ranks are -1.
    """
    score, known = numbers("scores", scores), edges_of("truth", truth)
    if score.ndim == 3:
        score = score[:, :, 1:].max(axis=-1) if summary else score[:, :, 1:]
    if known.ndim == 3:
        known = namespace(known).any(known, axis=-1) if summary else known[:, :, 1:]
    if score.shape != known.shape:
        raise InputError(
            f"scores are about shape {score.shape} and truth about {known.shape}; pass "
            "summary=True to compare over all lags"
        )
    counted = np.broadcast_to(diagonal | ~own_pasts(known), known.shape).ravel()
    floating = jnp.issubdtype(score.dtype, jnp.floating)
    default = np.float64 if namespace(score, known) is np else np.float32
    dtype = wide_float(score.dtype) if floating else default
    rank, edges = _ranks(score.ravel(), counted), known.ravel()
    return rank, namespace(rank, edges).asarray(edges), counted, dtype


def _ranks(score: AnyArray, counted: Bool[np.ndarray, "entries"]) -> Int[AnyArray, "entries"]:
    """How many scores are smaller than each; -1 everywhere where one that counts is NaN."""
    xp = namespace(score)
    if score.dtype == bool:
        score = score.astype(np.int32)
    if not jnp.issubdtype(score.dtype, jnp.floating):
        return xp.searchsorted(xp.sort(score), score).astype(np.int32)
    score = score.astype(wide_float(score.dtype))
    missing = xp.isnan(score)
    if is_concrete(score) and bool((missing & counted).any()):
        raise InputError(
            f"scores hold NaN {int((missing & counted).sum())} times, which cannot be ranked; give "
            "-inf to what was not scored"
        )
    score = xp.where(missing, xp.asarray(-xp.inf, score.dtype), score)
    rank = xp.searchsorted(xp.sort(score), score).astype(np.int32)
    return xp.where((missing & counted).any(), np.int32(-1), rank)


def unless_nan(measure: Float[AnyArray, ""], rank: Int[AnyArray, "entries"]) -> AnyArray:
    """The measure, or NaN where a traced score is NaN."""
    xp = namespace(measure, rank)
    return xp.where((rank < 0).any(), xp.asarray(xp.nan, measure.dtype), measure)


def own_pasts(mask: AnyArray) -> Bool[np.ndarray, "..."]:
    """Which entries join a variable to itself, in a shape that broadcasts against ``mask``."""
    same = np.eye(mask.shape[0], dtype=bool)
    return same.reshape(*same.shape, *([1] * (mask.ndim - 2)))


def ratio(numerator: Any, denominator: Any) -> Float[AnyArray, "..."]:
    """Floating-point ratio; 0 if the denominator is 0."""
    xp = namespace(numerator, denominator)
    floating = jnp.issubdtype(numerator.dtype, jnp.floating)
    dtype = numerator.dtype if floating else np.float64 if xp is np else np.float32
    top, bottom = numerator.astype(dtype), denominator.astype(dtype)
    return xp.where(bottom > 0, top / xp.where(bottom > 0, bottom, 1), xp.zeros_like(top))
