"""The search core: tests per second, skeletons, batches, ICD, first calls, memory.

Seconds are the least of several calls; a first call is one in a process of its own with nothing
compiled. Where a row names another way to do the same, the ratio is that way's seconds over ours.
"""

from collections.abc import Iterator
from pathlib import Path


def run(
    data: Path | None, *, prototype: Path | None = None, quick: bool = False, only: str = ""
) -> list[dict]:
    """All rows.

    Args:
        data: Folder with the gene matrix, whose rows are left out without it.
        prototype: Python file with ``skeleton(corr, n_samples, alpha, dtype=...)`` to compare with.
        only: Names of the sections to run, with commas; all by default.
        quick: Leave out causal-learn beyond 50 nodes, and make the largest problems smaller.
    """
    # A process that measures a first call must not load the baselines.
    from benchmarks.core import sections
    from benchmarks.core.baselines import module_from
    from benchmarks.core.timing import say

    other = module_from(prototype) if prototype is not None else None
    studies: dict[str, Iterator[dict]] = {
        "tests per second": sections.tests_per_second(),
        "skeletons": sections.skeletons((50, 200, 500, 1000), (50,) if quick else (50, 200), other),
        "many graphs": sections.many_graphs(1000, 32, other),
        "ICD": sections.icd_on_attention(2 if quick else None),
        "first calls": sections.first_calls(200),
        "memory": sections.memory(2000 if quick else 5000, 400 if quick else 4000),
    }
    if data is not None:
        studies["genes"] = sections.genes(data, other)
    rows = []
    for name, study in studies.items():
        if only and name not in only.split(","):
            continue
        say(f"== {name}")
        rows.extend(study)
    return rows
