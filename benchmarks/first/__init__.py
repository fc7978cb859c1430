"""The first call of a process: what a person waits for who makes one call."""

from typing import Any


def run(*args: Any, **options: Any) -> list[dict]:
    """See `benchmarks.first.study.run`."""
    from benchmarks.first import study

    return study.run(*args, **options)
