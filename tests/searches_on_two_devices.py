"""Run by test_sharding.py in a process of two devices: prints what searches found as JSON."""

import json
import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import jaxcause as jc

SPEC = PartitionSpec("graphs")
mesh = jax.make_mesh((2,), ("graphs",), axis_types=(AxisType.Auto,))
x = np.random.default_rng(0).normal(size=(8, 200, 6))
x[:, :, 1:] += 0.7 * x[:, :, :-1]
corr = np.stack([np.corrcoef(rows.T) for rows in x]).astype(np.float32)


def one(corr):
    """A capped FCI, whose program has loops and branches beside those of PC."""
    caps = jc.Caps(max_degree=4, max_cond_size=1)
    return jc.fci(jc.partial_correlation_test(corr, 200), alpha=0.01, caps=caps)


def flops(program, given):
    """Floating-point operations of each device, and what the program returns."""
    compiled = program.lower(given).compile()
    cost = compiled.cost_analysis()
    return (cost[0] if isinstance(cost, list) else cost)["flops"], compiled(given)


shared = jax.jit(jax.shard_map(one, mesh=mesh, in_specs=SPEC, out_specs=SPEC))
placed = jax.device_put(corr, NamedSharding(mesh, SPEC))
alone, expected = flops(jax.jit(one), corr)
by_jit, _ = flops(jax.jit(one), placed)
by_shard_map, result = flops(shared, placed)
same = [
    bool(np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f"))
    for a, b in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True)
]
found = {"same": all(same), "alone": alone, "jit": by_jit, "shard_map": by_shard_map}
sys.stdout.write(json.dumps(found))
