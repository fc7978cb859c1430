"""From outcomes to figures: shares, sizes and curves over the budget, with intervals."""

from collections.abc import Callable

import numpy as np

from benchmarks.cleann.methods import BUDGETS, Outcome

RESAMPLES = 1000
Outcomes = list[list[Outcome]]
"""For each case, one outcome per random key."""


def share(outcomes: Outcomes, budget: int = BUDGETS[-1]) -> np.ndarray:
    """For each case, the share of keys with an explanation within the budget."""
    return np.array([np.mean([_within(o, budget) for o in case]) for case in outcomes])


def sizes(outcomes: Outcomes, budget: int = BUDGETS[-1]) -> tuple[np.ndarray, np.ndarray]:
    """For each case, the sum of the sizes of explanations within the budget, and their number."""
    return _sums(outcomes, budget, lambda o: o.size)


def mean_size(outcomes: Outcomes, budget: int = BUDGETS[-1]) -> float:
    """Mean size of the explanations within the budget; NaN without any."""
    return ratio(*sizes(outcomes, budget))


def area(outcomes: Outcomes) -> float:
    """Mean share explained over the budgets: one number per curve."""
    return float(np.mean([share(outcomes, budget).mean() for budget in BUDGETS]))


def ratio(sums: np.ndarray, counts: np.ndarray) -> float:
    """Ratio of two sums; NaN if both are empty."""
    return float(sums.sum() / counts.sum()) if counts.sum() else float("nan")


def interval(statistic: Callable[[np.ndarray], float], n: int) -> tuple[float, float]:
    """95 % bootstrap interval of a statistic of resampled cases."""
    generator = np.random.default_rng(0)
    drawn = [statistic(generator.integers(n, size=n)) for _ in range(RESAMPLES)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return round(float(low), 3), round(float(high), 3)


def summary(outcomes: Outcomes, before: np.ndarray) -> dict[str, object]:
    """Share, size, queries, fall of the probability and rank, with intervals.

    Args:
        outcomes: Of one method.
        before: The probability of each case's output before the removal.
    """
    n = len(outcomes)
    shares, (total, count) = share(outcomes), sizes(outcomes)
    budget = BUDGETS[-1]
    queries = np.array([np.mean([min(o.queries, budget) for o in case]) for case in outcomes])
    fall = np.array(
        [
            sum(p - o.probability for o in case if _within(o, budget))
            for case, p in zip(outcomes, before, strict=True)
        ]
    )
    ranks = np.array([o.rank for case in outcomes for o in case if _within(o, budget)])
    row: dict[str, object] = {
        "share": shares.mean(),
        "share CI": interval(lambda at: shares[at].mean(), n),
        "size": ratio(total, count),
        "size CI": interval(lambda at: ratio(total[at], count[at]), n),
        "queries": queries.mean(),
        "queries CI": interval(lambda at: queries[at].mean(), n),
        "fall of probability": ratio(fall, count),
        "fall CI": interval(lambda at: ratio(fall[at], count[at]), n),
    }
    if ranks.any():
        row |= {"median rank": float(np.median(ranks)), "mean rank": float(ranks.mean())}
    return row


def above_smallest(outcomes: Outcomes, smallest: list[int]) -> dict[str, object]:
    """Nodes in excess of the smallest explanation, if both are known."""
    pairs = [
        (o.size - least)
        for case, least in zip(outcomes, smallest, strict=True)
        for o in case
        if least and _within(o, BUDGETS[-1])
    ]
    have = sum(least > 0 for least in smallest)
    if not pairs:
        return {}
    return {
        "nodes above the smallest (short)": float(np.mean(pairs)),
        "short": have,
    }


def difference(ours: Outcomes, theirs: Outcomes, budget: int) -> str:
    """Share explained minus that of another method on the same cases, with an interval."""
    gap = share(ours, budget) - share(theirs, budget)
    low, high = interval(lambda at: gap[at].mean(), len(gap))
    return f"{gap.mean():+.3f} ({low:+.3f} … {high:+.3f})"


def size_difference(ours: Outcomes, theirs: Outcomes) -> dict[str, object]:
    """Mean size minus that of another method: of all cases, and of those that both explain."""
    (a, n_a), (b, n_b) = sizes(ours), sizes(theirs)
    both = (n_a > 0) & (n_b > 0)
    paired = a[both] / n_a[both] - b[both] / n_b[both]
    return {
        "size": ratio(a, n_a) - ratio(b, n_b),
        "size CI": interval(lambda at: ratio(a[at], n_a[at]) - ratio(b[at], n_b[at]), len(a)),
        "size where both explain": paired.mean() if both.any() else float("nan"),
        "cases": int(both.sum()),
    }


def _within(o: Outcome, budget: int) -> bool:
    return o.size > 0 and o.queries <= budget


def _sums(
    outcomes: Outcomes, budget: int, value: Callable[[Outcome], float]
) -> tuple[np.ndarray, np.ndarray]:
    kept = [[value(o) for o in case if _within(o, budget)] for case in outcomes]
    return np.array([sum(k) for k in kept], float), np.array([len(k) for k in kept], float)
