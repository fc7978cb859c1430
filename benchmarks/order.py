"""What each way of choosing separating sets costs and finds, on 200 random linear systems.

8, 12 or 16 variables of mean degree 2 or 3, 100, 300 or 1,000 rows; for FCI and ICD two further
variables are hidden. "Changed" counts the systems whose marks change if the columns are permuted.
"""

import time
from typing import NamedTuple

import numpy as np

import jaxcause as jc
from jaxcause.graph import dag_to_cpdag, dag_to_mag, mag_to_pag

SYSTEMS, ALPHA = 200, 0.01
CHOICES = {
    "pc": [
        {"sepset": "first"},
        {"sepset": "max_p"},
        {"colliders": "conservative"},
        {"colliders": "majority"},
    ],
    "fci": [{"sepset": "first"}, {"sepset": "max_p"}],
    "icd": [{"sepset": "first"}, {"sepset": "max_p"}],
}


class System(NamedTuple):
    """Data, the marks that perfect tests would give, and another order of the columns."""

    data: np.ndarray
    marks: np.ndarray
    order: np.ndarray


def systems(*, n_hidden: int) -> list[System]:
    """Random linear systems, some of whose variables are hidden."""
    found = []
    for seed in range(SYSTEMS):
        rng = np.random.default_rng(10_000 + seed)
        n = int(rng.choice([8, 12, 16]))
        total = n + n_hidden
        share = rng.choice([2, 3]) / (total - 1)
        place = rng.permutation(total)
        dag = np.triu(rng.random((total, total)) < share, 1)[np.ix_(place, place)]
        n_rows = int(rng.choice([100, 300, 1000]))
        weights = dag * rng.uniform(0.2, 0.9, dag.shape) * rng.choice([-1, 1], dag.shape)
        data = rng.normal(size=(n_rows, total)) @ np.linalg.inv(np.eye(total) - weights)
        seen = np.sort(rng.permutation(total)[:n]).astype(np.int32)
        pag = mag_to_pag(dag_to_mag(dag, seen), selection_bias=False)
        graph = pag if n_hidden else dag_to_cpdag(dag)
        data = data[:, seen] if n_hidden else data
        found.append(System(data, np.asarray(graph.marks), rng.permutation(n)))
    return found


def run() -> list[dict]:
    """One row per search and choice."""
    some = {False: systems(n_hidden=0), True: systems(n_hidden=2)}
    rows = []
    for name, choices in CHOICES.items():
        for choice in choices:
            options = dict(choice) if name == "pc" else {**choice, "selection_bias": False}
            rows.append({"search": name, **_told(choice), **_measured(name, options, some)})
    return rows


def _told(choice: dict) -> dict:
    return {"choice": ", ".join(f'{key}="{value}"' for key, value in choice.items())}


def _measured(name: str, options: dict, some: dict[bool, list[System]]) -> dict:
    search = getattr(jc, name)

    def marks_of(data: np.ndarray) -> np.ndarray:
        test = jc.partial_correlation_test_from_data(data)
        return np.asarray(search(test, alpha=ALPHA, **options).graph.marks)

    cases = some[name != "pc"]
    found = [marks_of(system.data) for system in cases]
    began = time.perf_counter()
    for system in cases:
        marks_of(system.data)
    seconds = time.perf_counter() - began
    changed = 0
    for system, marks in zip(cases, found, strict=True):
        again = marks_of(system.data[:, system.order])
        changed += bool((marks[np.ix_(system.order, system.order)] != again).any())
    pairs = [(marks, system.marks) for marks, system in zip(found, cases, strict=True)]
    return {
        "F1 of the skeleton": np.mean([_f1(m > 0, t > 0, m > 0) for m, t in pairs]),
        "F1 of arrowheads": np.mean([_f1(m == 2, t == 2, m == 2) for m, t in pairs]),
        "F1 of all marks": np.mean([_f1(m > 0, t > 0, m == t) for m, t in pairs]),
        "changed": f"{changed} of {len(cases)}",
        "warm seconds": seconds,
    }


def _f1(found: np.ndarray, true: np.ndarray, right: np.ndarray) -> float:
    return 2 * (found & true & right).sum() / max(1, found.sum() + true.sum())
