"""Write tests/discovery/goldens/pcmci.npz: what tigramite finds in 20 small series.

It needs tigramite, which the tests do not: ``python tests/reference/make_pcmci_goldens.py``.
Only outputs are stored. A case is a series of float32 and the settings in its name.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tigramite import data_processing
from tigramite.independence_tests.parcorr import ParCorr
from tigramite.pcmci import PCMCI

TARGET = Path(__file__).parents[1] / "discovery" / "goldens" / "pcmci.npz"
METHODS = [
    {"method": "pcmci", "pc_alpha": 0.2},
    {"method": "pcmci", "pc_alpha": None},
    {"method": "pcmci+", "pc_alpha": 0.05, "colliders": "majority"},
    {"method": "pcmci+", "pc_alpha": 0.01, "colliders": "none"},
]
SIZES = [(3, 1, 120), (4, 3, 150), (5, 2, 200), (7, 5, 160), (10, 2, 250)]


def simulate(seed, n_vars, max_lag, n_steps, bend):
    """Two lagged parents each, some links within a step, Gaussian noise."""
    rng = np.random.default_rng(seed)
    lagged = np.zeros((max_lag, n_vars, n_vars))
    for target in range(n_vars):
        lagged[0, target, target] = rng.uniform(0.1, 0.5)
        for source in rng.choice(n_vars, 2, replace=False):
            size = rng.uniform(0.15, 0.35)
            lagged[rng.integers(max_lag), source, target] += rng.choice([-1, 1]) * size
    now, order = np.zeros((n_vars, n_vars)), rng.permutation(n_vars)
    for place in range(n_vars - 1):
        if rng.random() < 0.6:
            now[order[place], order[rng.integers(place + 1, n_vars)]] = rng.uniform(0.3, 0.6)
    x = rng.normal(size=(n_steps + 50, n_vars))
    for t in range(max_lag, len(x)):
        past = sum(bend(x[t - lag]) @ lagged[lag - 1] for lag in range(1, max_lag + 1))
        for target in order:
            x[t, target] += past[target] + bend(x[t]) @ now[:, target]
    return x[50:].astype(np.float32)


def main():
    arrays, cases = {}, []
    for at, (n_vars, max_lag, n_steps) in enumerate(SIZES):
        for which, settings in enumerate(METHODS):
            seed = 10 * at + which
            bend = np.tanh if (at + which) % 2 else np.asarray
            series = simulate(seed, n_vars, max_lag, n_steps, bend)
            assert np.abs(series).max() < 50
            peer = PCMCI(data_processing.DataFrame(series.astype(np.float64)), ParCorr())
            if settings["method"] == "pcmci":
                found = peer.run_pcmci(
                    tau_max=max_lag, pc_alpha=settings["pc_alpha"], alpha_level=0.05
                )
            else:
                found = peer.run_pcmciplus(
                    tau_max=max_lag,
                    pc_alpha=settings["pc_alpha"],
                    contemp_collider_rule=settings["colliders"],
                )
            name = f"case_{len(cases)}"
            arrays[f"{name}_series"] = series
            arrays[f"{name}_p"] = found["p_matrix"]
            arrays[f"{name}_r"] = found["val_matrix"]
            arrays[f"{name}_graph"] = found["graph"]
            cases.append({"name": name, "max_lag": max_lag, **settings})
    arrays["cases"] = np.array(json.dumps(cases))
    arrays["made_by"] = np.array(f"tigramite {version('tigramite')}")
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, **arrays)
    print(TARGET.stat().st_size, len(cases))  # noqa: T201


if __name__ == "__main__":
    main()
