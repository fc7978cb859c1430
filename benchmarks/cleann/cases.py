"""The cases to explain, and the answers of the model, each queried once."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

Answers = Callable[[np.ndarray], np.ndarray]
"""Sets of removed nodes ``[sets, nodes]`` to ``[sets, 3]``: see `Oracle`."""


class Case(NamedTuple):
    """One output to explain.

    Args:
        name: Its key in the cache.
        attention: ``[layers, heads, tokens, tokens]``; the first tokens are the nodes.
        n_nodes: Number of nodes.
        target: The node whose value is explained.
        removable: Nodes that may be removed.
        gradient: Input × gradient of each node.
        probability: Of the output.
        answers: Asks the model.
    """

    name: str
    attention: np.ndarray
    n_nodes: int
    target: int
    removable: np.ndarray
    gradient: np.ndarray
    probability: float
    answers: Answers


class Oracle:
    """Answers about one case: whether the output changed, its probability, the new one's rank.

    Methods share the answers, so that the model is asked once about each set; each method still
    counts all of its own queries.
    """

    def __init__(self, case: Case, known: dict[int, tuple[float, ...]] | None = None) -> None:
        self.case = case
        self.known = {} if known is None else dict(known)
        self.n_passes = 0

    def __call__(self, removed: np.ndarray) -> np.ndarray:
        """Whether the output changes: a ``verify_fn``."""
        return self.look_up(removed)[:, 0] > 0

    def probability(self, removed: np.ndarray) -> np.ndarray:
        """The probability of the first output."""
        return self.look_up(removed)[:, 1]

    def look_up(self, removed: np.ndarray) -> np.ndarray:
        """All answers; the model is run only for unknown ones."""
        removed = removed[:, : self.case.n_nodes]
        codes = [code(row) for row in removed]
        new = {c: row for c, row in zip(codes, removed, strict=True) if c not in self.known}
        if new:
            self.n_passes += len(new)
            answers = self.case.answers(np.array(list(new.values())))
            self.known.update(zip(new, map(tuple, answers.round(6).tolist()), strict=True))
        return np.array([self.known[c] for c in codes])


class Cache:
    """Answers of all cases in a file of JSON lines, so that a killed run can continue."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[str, dict[int, tuple[float, ...]]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            for line in path.read_text().splitlines():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            return  # The line that was being written when the run was killed.
        answers = {int(c): tuple(a) for c, a in entry["answers"].items()}
        self.lines.setdefault(entry["case"], {}).update(answers)

    def oracle(self, case: Case) -> Oracle:
        """The oracle of a case, with its known answers."""
        return Oracle(case, self.lines.get(case.name))

    def keep(self, oracle: Oracle) -> None:
        """Append the new answers."""
        old = self.lines.get(oracle.case.name, {})
        new = {c: a for c, a in oracle.known.items() if c not in old}
        if new:
            with self.path.open("a") as file:
                line = json.dumps({"case": oracle.case.name, "answers": new})
                file.write("\n" * _torn(self.path) + line + "\n")
            self.lines.setdefault(oracle.case.name, {}).update(new)


def code(removed: np.ndarray) -> int:
    """A set as a number, one bit per node."""
    return sum(1 << int(at) for at in np.flatnonzero(removed))


def in_batches(rows: np.ndarray, sizes: tuple[int, ...]) -> Iterator[tuple[np.ndarray, int]]:
    """Batches of few shapes, the last one filled with its first rows, and their true sizes."""
    at = 0
    while at < len(rows):
        left = len(rows) - at
        size = next((s for s in sizes if left <= s), sizes[-1])
        taken = rows[at : at + size]
        yield taken[np.resize(np.arange(len(taken)), size)], len(taken)
        at += size


def _torn(path: Path) -> bool:
    data = path.read_bytes()
    return bool(data) and not data.endswith(b"\n")
