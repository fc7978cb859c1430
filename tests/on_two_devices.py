"""Run by test_sharding.py in a process of two devices: prints what it found as JSON."""

import json
import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from jaxcause.attribution import gradient_energy, rank_mean_over_std, score_energy
from jaxcause.sharding import replicate, row_mesh, shard_rows

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def forecast(weights, window):
    return (jnp.tanh(window.reshape(1, -1)) @ weights)[0]


def density(weights, window):
    mean = forecast(weights, window)
    return mean, jnp.exp(mean[::-1])


mesh = row_mesh()
rng = np.random.default_rng(0)
weights = jnp.asarray(rng.normal(size=(6, 2)))
x = rng.normal(size=(9, 3, 2))
found = {"devices": len(jax.devices()), "axis_types": [t.name for t in mesh.axis_types]}

rows, n_rows = shard_rows(x, mesh, multiple=2)
found["shares"] = [shard.data.shape[0] for shard in rows.addressable_shards]
found["n_rows"] = n_rows
found["copies"] = len(replicate({"w": x}, mesh)["w"].addressable_shards)
# The remedy of Explicit axes: a batched inverse runs on sharded rows.
inverse = jax.jit(jax.vmap(jnp.linalg.inv))(shard_rows(np.stack([np.eye(3)] * 4), mesh)[0])
found["inverse"] = bool((inverse == jnp.eye(3)[None]).all())

found["differences"] = {}
for n_windows, read, model in (
    (9, score_energy, density),
    (8, rank_mean_over_std, forecast),
    (1, gradient_energy, forecast),
):
    one, two = (
        jax.tree.leaves(read(Partial(model, weights), x[:n_windows], mesh=m, batch_size=2))
        for m in (None, mesh)
    )
    pairs = zip(one, two, strict=True)
    difference = max(float(abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)
    found["differences"][n_windows] = difference
    found["result_devices"] = len(two[0].sharding.device_set)
# What is traced runs on a mesh, too.
inside = jax.jit(lambda w, x: gradient_energy(Partial(forecast, w), x, mesh=mesh))(weights, x)
found["inside_jit"] = float(abs(inside - gradient_energy(Partial(forecast, weights), x)).max())
sys.stdout.write(json.dumps(found))
