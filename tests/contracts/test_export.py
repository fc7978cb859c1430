"""What is compiled lowers for accelerators that are not here, and calls none of their libraries.

`jax.export` writes the program of another platform. A primitive without a rule for it, or a kernel
of this one's libraries, is an error there; so this finds what a machine without a GPU can find.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jaxcause as jc
from jaxcause import attribution
from jaxcause.attention import correlation
from jaxcause.models.forecaster import ForecasterConfig, init_params, predictor

PLATFORMS = ["cuda", "tpu"]
CAPS = jc.Caps(max_degree=4, max_cond_size=2)
CONFIG = ForecasterConfig(3, 2, skip=True)


def search(find):
    def found(corr):
        result = find(jc.partial_correlation_test(corr, 300), alpha=0.01, caps=CAPS)
        return result.graph.marks, result.p_values

    return found, (np.eye(6, dtype=np.float32)[None].repeat(2, 0),)


def attention_to_graph(attn):
    test = jc.partial_correlation_test(correlation(attn), 64)
    return jc.icd(test, alpha=0.01, caps=CAPS).graph.marks


def loss_and_gradient(params, windows):
    def loss(params):
        return jnp.mean(jax.vmap(predictor(CONFIG, params))(windows) ** 2)

    return jax.value_and_grad(loss)(params)


def energies(params, windows):
    return attribution.gradient_energy(predictor(CONFIG, params), windows)


def of_forecaster(program):
    windows = np.zeros((16, CONFIG.max_lag, CONFIG.n_vars), np.float32)
    return program, (init_params(jax.random.key(0), CONFIG), windows)


PROGRAMS = {
    "pc": lambda: search(jc.pc),
    "fci": lambda: search(jc.fci),
    "icd": lambda: search(jc.icd),
    "attention": lambda: (attention_to_graph, (np.full((2, 6, 6), 1 / 6, np.float32),)),
    "training": lambda: of_forecaster(loss_and_gradient),
    "gradients": lambda: of_forecaster(energies),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_lower_for_accelerators(name):
    program, given = PROGRAMS[name]()
    exported = export.export(jax.jit(program), platforms=PLATFORMS)(*given)
    assert exported.platforms == tuple(PLATFORMS)
    # A program that calls a library of its platform names it.
    text = exported.mlir_module()
    assert "lapack" not in text
    assert "cusolver" not in text
