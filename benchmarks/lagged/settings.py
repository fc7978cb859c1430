"""The settings of the benchmark: simulated systems and published series.

The simulated ones are those of Wang, Wang & Huang (2026), arXiv 2601.05647, with the constants of
`jaxcause.simulate.lagged_system`. A setting lists its differences from n=10 variables, lags up to
5, linear functions and normal noise.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.lagged.case import Case as Case
from benchmarks.lagged.generated import GENERATED
from benchmarks.lagged.published import BESIDE_SIMULATED, PUBLISHED, NotThere
from jaxcause import simulate

N_PARENTS = 3


class Setting(NamedTuple):
    """A simulated setting and the table in which it is reported.

    Args:
        table: Heading.
        options: Arguments of the simulation other than the sizes.
        n_vars: Variables.
        max_lag: Longest lag.
        steps: Length, reduced and full.
        costly: Whether the reduced size has only one seed.
        system: The function that simulates the series.
    """

    table: str
    options: dict[str, Any]
    n_vars: int = 10
    max_lag: int = 5
    steps: tuple[int, int] = (50_000, 100_000)
    costly: bool = False
    system: Callable[..., Any] = partial(simulate.lagged_system, n_parents=N_PARENTS)


def _simulated() -> dict[str, Setting]:
    found = {
        f"n={n}": Setting("Variables", {}, n_vars=n, costly=n >= 50) for n in (10, 25, 50, 100)
    }
    for lag in (10, 25, 50):
        found[f"lag={lag}"] = Setting("Longest lag", {}, max_lag=lag, costly=lag >= 50)
    for function in ("monotonic", "pl+m", "mlp_additive", "mlp_cat"):
        found[function] = Setting("Functions", {"function": function})
    for noise in ("uniform", "mixed", "heteroscedastic"):
        found[noise] = Setting("Noise", {"noise": noise})
    for n in (2, 5, 10):
        found[f"domains={n}"] = Setting("Regimes", {"n_domains": n})
    for n in (3, 5, 10):
        found[f"latents={n}"] = Setting("Hidden causes", {"n_latents": n})
    found["instantaneous"] = Setting("Instantaneous effects", {"instantaneous": 0.3})
    for function in ("pl+m", "mlp_additive"):
        for size, steps in (("short", (2_000, 50_000)), ("medium or long", (10_000, 1_000_000))):
            found[f"{function}, {size}"] = Setting("Length", {"function": function}, steps=steps)
    for name, options in (
        ("variance", {}),
        ("variance alone", {"n_parents": 0, "n_variance_parents": 2}),
    ):
        found[name] = Setting(
            "Parents of the variance",
            options,
            steps=(20_000, 50_000),
            system=simulate.variance_parents,
        )
    return found


SIMULATED = _simulated()

PRESETS = ("reduced", "full")


def names() -> list[str]:
    """All settings."""
    return [*SIMULATED, *PUBLISHED]


def names_of_study() -> list[str]:
    """The settings of ``python -m benchmarks lagged``."""
    return [*SIMULATED, *BESIDE_SIMULATED]


def table_of(name: str) -> str:
    """The heading under which a setting is reported."""
    return SIMULATED[name].table if name in SIMULATED else "Published series"


def seeds_of(name: str, preset: str, seeds: tuple[int, ...]) -> tuple[int, ...]:
    """The seeds of a setting; only the first if it is costly and the size reduced, or generated."""
    costly = name in SIMULATED and SIMULATED[name].costly and preset == "reduced"
    return seeds[:1] if costly or name in GENERATED else seeds


def sizes(name: str, preset: str) -> tuple[int, int, int]:
    """Variables, longest lag and length; zeros if only the file has them."""
    if name not in SIMULATED:
        return 0, 0, 0
    setting = SIMULATED[name]
    return setting.n_vars, setting.max_lag, setting.steps[PRESETS.index(preset)]


def load(name: str, preset: str, seed: int, data: Path | None) -> Case:
    """The series of a setting and a seed; a published one is the same for every seed."""
    if name not in SIMULATED:
        if data is None:
            raise NotThere(f"{name} is no simulated system; pass --data")
        return (PUBLISHED | GENERATED)[name](data)
    setting = SIMULATED[name]
    n_vars, max_lag, n_steps = sizes(name, preset)
    given = {"n_vars": n_vars, "max_lag": max_lag, "n_steps": n_steps}
    key = jax.random.key(seed)
    made = setting.system(key, **given, **setting.options)
    regimes = np.asarray(made.domain) if setting.options.get("n_domains", 1) > 1 else None
    system = made if setting.options.get("n_latents") else None
    return Case(np.asarray(made.series), made.truth, max_lag, regimes, system=system)
