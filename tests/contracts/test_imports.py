"""A call loads what it uses: the seconds of an import are waited for like any others."""

import subprocess
import sys

import numpy as np
import pytest

TRAINING = "flax optax orbax jaxcause.training jaxcause.models".split()
OTHERS = "transformers networkx pandas polars safetensors tqdm scipy matplotlib.pyplot".split()
SEARCH = "chex jaxcause.discovery".split()
HEAVY = [*TRAINING, *OTHERS, "matplotlib"]

SERIES = "import numpy as np; x = np.random.default_rng(0).normal(size=(80, 2))\n"
CALLS = {
    "import jaxcause": ("import jaxcause", [*HEAVY, *SEARCH, "jax", "numpy"]),
    "names": ("import jaxcause as jc; jc.pc, jc.CausalGraph, jc.metrics, jc.simulate", HEAVY),
    "select_fdr": ("import jaxcause as jc; jc.attribution.select_fdr", HEAVY),
    "discover": ("import jaxcause as jc; jc.discover, jc.methods", [*HEAVY, *SEARCH]),
    "var": (f"{SERIES}import jaxcause as jc; jc.discover(x, 1, method='var')", [*HEAVY, *SEARCH]),
    "lasso": (
        f"{SERIES}import jaxcause as jc; jc.discover(x, 1, method='lasso')",
        [*HEAVY, *SEARCH],
    ),
    "pcmci": (f"{SERIES}import jaxcause as jc; jc.discover(x, 1, method='pcmci')", HEAVY),
    "to_networkx": (
        f"{SERIES}import jaxcause as jc; jc.discover(x, 1, method='var').to_networkx()",
        [*TRAINING, *SEARCH, "pandas", "matplotlib"],
    ),
    "help": (
        "from jaxcause.cli import main\ntry: main(['discover', '--help'])\nexcept SystemExit: pass",
        [*HEAVY, *SEARCH, "jax", "numpy"],
    ),
}


def unused(code, names, cwd=None):
    """Which of some modules a process loads."""
    code += f"\nimport sys; print([m for m in {names} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cwd
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("call", CALLS)
def test_a_call_loads_what_it_uses(call):
    assert unused(*CALLS[call]) == "[]"


def test_the_command_of_a_linear_method_loads_no_training(tmp_path):
    x = np.random.default_rng(0).normal(size=(80, 2))
    np.savetxt(tmp_path / "x.csv", x, delimiter=",", header="a,b", comments="")
    code = (
        f"import sys; sys.path[:0] = {sys.path}\n"
        "from jaxcause.cli import main; main('discover x.csv --method var --quiet'.split())"
    )
    assert unused(code, [*TRAINING, *OTHERS, *SEARCH], cwd=tmp_path) == "[]"
