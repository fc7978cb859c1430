"""How many edges are false at q=.1."""

from benchmarks.calibration.study import run

__all__ = ["run"]
