"""From blocks to regimes: neighbours are merged to stretches, stretches to regimes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause.series._regimes.moments import RegimeMoments

MOST_STRETCHES = 64
"""Stretches that are compared in pairs."""
MOST_REGIMES = 16
"""Most regimes that are told apart."""
ROUNDS = 10
"""Most rounds of reassigning blocks and fitting regimes."""


def label_paths(moments: RegimeMoments) -> dict[int, Int[np.ndarray, "blocks"]]:
    """The regime of each block, for each number of regimes from 1 on; 0 comes first in time.

    Neighbouring stretches are merged whose fits differ least, as long as there is less evidence for
    a boundary than its price, the logarithm of the number of blocks. Then any two stretches are
    merged, those whose difference has the least evidence, down to one. Each number of regimes on
    the way is polished by `reassigned`.
    """
    label = _merged_neighbours(moments)
    found = {}
    for path in _merged_pairs(moments, label):
        n_regimes = int(path.max()) + 1
        if n_regimes <= MOST_REGIMES:
            path = reassigned(moments, path)
            found.setdefault(int(path.max()) + 1, path)
    return dict(sorted(found.items()))


def reassigned(
    moments: RegimeMoments, label: Int[np.ndarray, "blocks"]
) -> Int[np.ndarray, "blocks"]:
    """Fit each regime and give each block to the regime that forecasts it best, by turns.

    Blocks are given by the path of least cost (Viterbi), where a change of regime costs the
    logarithm of the number of blocks times that of regimes.
    """
    for _ in range(ROUNDS):
        n_regimes = int(label.max()) + 1
        fit = moments.sum_by(label, n_regimes).coefficients()
        moved = in_order(best_path(moments.gain(fit).sum(axis=-1), np.log(len(label) * n_regimes)))
        if (moved == label).all():
            break
        label = moved
    return label


def best_path(gain: Float[np.ndarray, "steps regimes"], price: float) -> Int[np.ndarray, "steps"]:
    """The regime of each step that gains most, less a price for each change (Viterbi, 1967)."""
    n_steps, n_regimes = gain.shape
    came = np.zeros((n_steps, n_regimes), int)
    total = gain[0].copy()
    for step in range(1, n_steps):
        best = int(np.argmax(total))
        change = total[best] - price > total
        came[step] = np.where(change, best, np.arange(n_regimes))
        total = np.maximum(total, total[best] - price) + gain[step]
    path = np.zeros(n_steps, int)
    path[-1] = int(np.argmax(total))
    for step in range(n_steps - 1, 0, -1):
        path[step - 1] = came[step, path[step]]
    return path


def in_order(label: Int[np.ndarray, "blocks"]) -> Int[np.ndarray, "blocks"]:
    """Labels numbered in the order in which they first appear."""
    _, first, number = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[np.ravel(number)]


def _merged_neighbours(moments: RegimeMoments) -> Int[np.ndarray, "blocks"]:
    n_blocks = len(moments.cross)
    parts = [_Part.of(moments.at(b), 1) for b in range(n_blocks)]
    pairs = [one.joined(other) for one, other in zip(parts[:-1], parts[1:], strict=True)]
    while pairs:
        gain = [
            a.evidence + b.evidence - both.evidence
            for a, b, both in zip(parts[:-1], parts[1:], pairs, strict=True)
        ]
        loss = [
            a.fit + b.fit - both.fit
            for a, b, both in zip(parts[:-1], parts[1:], pairs, strict=True)
        ]
        may = np.array(gain) <= np.log(n_blocks)
        if not may.any() and len(parts) <= MOST_STRETCHES:
            break
        at = int(np.argmin(np.where(may | ~may.any(), loss, np.inf)))
        parts[at : at + 2] = [pairs.pop(at)]
        for k in (at - 1, at):
            if 0 <= k < len(pairs):
                pairs[k] = parts[k].joined(parts[k + 1])
    return np.repeat(np.arange(len(parts)), [part.size for part in parts])


class _Part(NamedTuple):
    """A stretch of so many blocks, and what coefficients of its own are worth."""

    moments: RegimeMoments
    size: int
    fit: float
    evidence: float

    @classmethod
    def of(cls, moments: RegimeMoments, size: int) -> "_Part":
        return cls(moments, size, float(moments.fit()), float(moments.evidence()))

    def joined(self, other: "_Part") -> "_Part":
        return _Part.of(self.moments + other.moments, self.size + other.size)


def _merged_pairs(moments: RegimeMoments, label: np.ndarray) -> list[np.ndarray]:
    """Labels after each merge of two regimes, from as many regimes as stretches down to one."""
    n = int(label.max()) + 1
    groups = moments.sum_by(label, n)
    gram, cross = groups.gram.copy(), groups.cross.copy()
    alone = groups.evidence()
    joint = np.full((n, n), np.nan)
    left = list(range(n))

    def compare(one: int, others: list[int]) -> None:
        both = RegimeMoments(gram[others] + gram[one], cross[others] + cross[one])
        joint[one, others] = joint[others, one] = both.evidence()

    for one in left[:-1]:
        compare(one, left[one + 1 :])
    found = [in_order(label)]
    label = label.copy()
    while len(left) > 1:
        loss = alone[left][:, None] + alone[left] - joint[np.ix_(left, left)]
        a, b = np.unravel_index(np.nanargmin(loss), loss.shape)
        one, other = sorted((left[int(a)], left[int(b)]))
        gram[one] += gram[other]
        cross[one] += cross[other]
        alone[one] = joint[one, other]
        label[label == other] = one
        left.remove(other)
        if len(left) > 1:
            compare(one, [k for k in left if k != one])
        found.append(in_order(label))
    return found
