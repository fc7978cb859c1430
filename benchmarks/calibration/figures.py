"""Shares of false edges, and F1."""

import numpy as np


def f1_at_true_number(scores: np.ndarray, truth: np.ndarray) -> float:
    """F1 of the best-scored candidates, as many as there are edges."""
    if not truth.any():
        return 1.0
    return _f1(scores >= np.sort(scores, axis=None)[-truth.sum()], truth)


def _f1(mask: np.ndarray, truth: np.ndarray) -> float:
    total = mask.sum() + truth.sum()
    return float(2 * (mask & truth).sum() / total) if total else 1.0


def columns(found: dict[str, list[tuple[np.ndarray, np.ndarray]]]) -> dict[str, float]:
    """Share of false edges (without edges: how often any is found), and F1."""
    figures = {}
    for name, pairs in found.items():
        false = [(mask & ~truth).sum() / max(mask.sum(), 1) for mask, truth in pairs]
        figures[f"FDR {name}"] = float(np.mean(false))
        figures[f"F1 {name}"] = float(np.mean([_f1(mask, truth) for mask, truth in pairs]))
    return figures
