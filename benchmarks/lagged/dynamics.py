"""Chaotic flows of CausalDynamics (Herdeanu et al. 2025), which is installed beside this library.

``pip install torch dysts sdeint xarray joblib jsonargparse matplotlib ipython`` and
``pip install --no-deps --ignore-requires-python causaldynamics``: the package pins a version of
Python that its generators do not need.
"""

import warnings
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.lagged.beside import imported
from benchmarks.lagged.case import Case
from benchmarks.lagged.published import Loader

ROWS = 1000
SEED = 42
"""Of the flows; their authors' choice."""
FLOWS = {
    0.0: (
        *("BurkeShaw", "Chua", "Finance", "JerkCircuit", "Laser", "LuChen", "RayleighBenard"),
        *("Rucklidge", "ShimizuMorioka", "SprottB", "SprottD", "SprottF", "SprottH", "SprottJ"),
        *("SprottN", "SprottP", "SprottR", "Thomas", "YuWang"),
    ),
    0.5: (
        *("BurkeShaw", "Chen", "Chua", "Coullet", "Duffing", "Finance", "JerkCircuit"),
        *("KawczynskiStrizhak", "Laser", "Lorenz", "LuChen", "MooreSpiegel", "RayleighBenard"),
        *("Rossler", "Rucklidge", "SanUmSrisuchinwong", "ShimizuMorioka", "SprottA", "SprottB"),
        *("SprottC", "SprottE", "Thomas", "ThomasLabyrinth", "YuWang", "YuWang2"),
    ),
}
"""By noise: every second flow, and with noise all, among those of three variables whose equations
have an effect and a pair without one, whose Jacobian the package knows and that stay finite."""
COUPLED = {False: (0, 1, 2, 3, 4, 6), True: (0, 1, 2, 3, 4, 5)}
"""Seeds of coupled flows that stay finite, without common causes among the five and with."""
N_COUPLED = 5


def flow(name: str, noise: float, data: Path | None = None) -> Case:
    """Three variables of a chaotic flow, with noise in its equations; ``data`` is not used."""
    systems = imported("causaldynamics.systems")
    # Entry [i, j] of the Jacobian: the derivative of the equation of i by j.
    jacobian = systems.get_adjacency_matrix_from_jac(getattr(imported("dysts.flows"), name))
    truth = np.asarray(jacobian).T.astype(bool)
    np.fill_diagonal(truth, False)
    imported("causaldynamics.utils").set_rng_seed(SEED)
    options = {"resample": True, "noise": noise}
    with warnings.catch_warnings(action="ignore"):
        made = systems.solve_system(ROWS, 1, name, make_trajectory_kwargs=options)
    if made is None:
        raise ValueError(f"the generator gave up on {name}, as it sometimes does; run it again")
    return Case(np.asarray(made, float)[:, 0], truth, 1, summary=True)


def coupled(forks: bool, seed: int, data: Path | None = None) -> Case:
    """The first variable of each of five flows, which drive each other in the same or next row."""
    creator = imported("causaldynamics.creator")
    imported("causaldynamics.utils").set_rng_seed(seed)
    with warnings.catch_warnings(action="ignore"):
        edges, weights, biases, *_ = creator.create_scm(
            N_COUPLED, 3, confounders=forks, graph="scale-free", time_lag=1
        )
        options = {"resample": True, "noise": 0.0}
        made = creator.simulate_system(
            *(edges, weights, biases, ROWS, N_COUPLED),
            init_ratios=[1, 0, 0],
            system_name="random",
            time_lag=1,
            make_trajectory_kwargs=options,
        )
    truth = np.asarray(edges).any(axis=0)
    np.fill_diagonal(truth, False)
    return Case(np.asarray(made, float)[:, :, 0], truth, 1, summary=True)


DYNAMICS: dict[str, Loader] = {
    **{
        f"causaldynamics flow, noise {noise:g}, {name}": partial(flow, name, noise)
        for noise, names in FLOWS.items()
        for name in names
    },
    **{
        f"causaldynamics coupled{', forks' if forks else ''}, {seed}": partial(coupled, forks, seed)
        for forks, seeds in COUPLED.items()
        for seed in seeds
    },
}
"""All flows of CausalDynamics."""


def held_back(name: str) -> bool:
    """Those without noise showed that dense graphs were lost; no constant was chosen on them."""
    return ", noise 0, " not in name
