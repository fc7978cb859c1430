"""Run by test_mesh.py, in one process of many devices or in several: prints the results as JSON.

Arguments: devices of this process, then if there are several processes the number of this one, how
many there are, and the port of the first.
"""

import json
import os
import sys

os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={sys.argv[1]}"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import jax
import numpy as np

if len(sys.argv) > 2:
    number, n_processes, port = map(int, sys.argv[2:])
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", n_processes, number, initialization_timeout=60)

import jaxcause as jc
from jaxcause._small_work import compiling_at_once
from jaxcause.discovery._kernel import sizes
from jaxcause.sharding import row_mesh

# Small problems, but every level is shared out.
sizes.TESTS_AT_ONCE, sizes.FEWEST_LANES = 0, 16
jax.config.update("jax_numpy_rank_promotion", "raise")

rng = np.random.default_rng(0)
x = rng.normal(size=(300, 20))
x[:, 1:] += 0.6 * x[:, :-1]
x[:, 5] += x[:, 0] * 0.7
one = jc.partial_correlation_test(np.corrcoef(x.T), 300)
some = jc.partial_correlation_test(np.stack([np.corrcoef(x[i::5, :8].T) for i in range(5)]), 60)
own = jc.graph.oracle_test(np.triu(rng.random((9, 9)) < 0.3, 1), np.arange(8))
attention = rng.dirichlet(np.ones(8) * 0.3, size=(3, 8))
knowledge = jc.BackgroundKnowledge(tiers=np.arange(20) // 7)
small = jc.partial_correlation_test(np.stack([np.corrcoef(x[i::5, :5].T) for i in range(5)]), 60)
CALLS = {
    "pc": lambda **more: jc.pc(one, max_cond_size=1, **more),
    "knowledge": lambda **more: jc.pc(
        one, knowledge=knowledge, sepset="first", max_cond_size=1, **more
    ),
    "batch": lambda **more: jc.fci(some, alpha=0.05, max_cond_size=1, **more),
    "oracle": lambda **more: jc.pc(own, alpha=0.5, max_cond_size=1, **more),
    "attention": lambda **more: jc.attention.abcd(attention, 64, max_cond_size=1, **more),
    "caps": lambda **more: jc.fci(small, alpha=0.05, caps=jc.Caps(3, 1), **more),
}
if len(sys.argv) > 2:
    CALLS = {"pc": CALLS["pc"]}


def numbers_of_devices(name):
    """All numbers for the plainest search; each of them compiles its own programs."""
    if len(sys.argv) > 2:
        return (len(jax.devices()),)
    return (1, 2, 4, 8) if name == "pc" else (3,)


def differences(found, expected):
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    return sum(not np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


results = {}
with compiling_at_once():
    for name, call in CALLS.items():
        expected = jax.tree.map(np.asarray, call())
        for n_devices in numbers_of_devices(name):
            mesh = row_mesh(jax.devices()[:n_devices])
            found = jax.tree.map(np.asarray, call(mesh=mesh))
            results[f"{name}, {n_devices}"] = differences(found, expected)
document = {"edges": len(jc.pc(one, max_cond_size=1).graph.edges()), "differences": results}
sys.stdout.write(json.dumps(document) + "\n")
