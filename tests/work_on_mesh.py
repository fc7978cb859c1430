"""Run by test_shared_work.py, in one process of several devices or in several: prints JSON.

Arguments: a folder, devices of this process, then if there are several processes the number of this
one, how many there are, and the port of the first.
"""

import dataclasses
import json
import os
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={sys.argv[2]}"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import jax
import jax.numpy as jnp
import numpy as np

if len(sys.argv) > 3:
    number, n_processes, port = map(int, sys.argv[3:])
    jax.distributed.initialize(f"127.0.0.1:{port}", n_processes, number, initialization_timeout=60)

import jaxcause as jc
from jaxcause import _small_work
from jaxcause._small_work import compiling_at_once
from jaxcause.discovery import lagged_correlation
from jaxcause.discovery._kernel import sizes
from jaxcause.discovery._pcmci import student_test
from jaxcause.series import split_by_time
from jaxcause.sharding import row_mesh
from jaxcause.training import LossParts, TrainingConfig, _loop, fit, fit_members, rows_of

FOLDER, PROCESSES = sys.argv[1], sys.argv[3:]

# Little work, but all of it is shared out.
sizes.TESTS_AT_ONCE, sizes.FEWEST_LANES, student_test.WORTH_SHARING = 0, 16, 0.0
_loop.SECONDS_BETWEEN_CHECKPOINTS = 0.0
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

rng = np.random.default_rng(0)
x = rng.normal(size=(500, 6))
for t in range(2, 500):
    x[t, 1:] += np.abs(x[t - 1, :-1])
    x[t, 0] += 0.5 * x[t - 2, 0]
    x[t, 3] += 0.7 * x[t, 2]
x[:, 5] = x[:, 4]  # redundant sets
CONFIG = TrainingConfig(60, batch_size=8, stretch=4, steps_per_call=20, n_evaluations=3)


SHARING = row_mesh(jax.devices()[:3])
"""Three devices of one process, or the two of two processes."""


def autoregression(params, rows):
    forecast = jnp.tanh(rows.values[:, :-1] @ params["a"]) @ params["b"]
    residuals, weight = rows.values[:, 1:] - forecast, rows.weight[:, 1:]
    loss = (weight * residuals**2).sum() / jnp.maximum(weight.sum(), 1)
    return loss, LossParts(weight.sum(), residuals)


def trained(mesh, n_members=0, **more):
    """Errors and parameters of a small network, after 60 steps."""
    split = split_by_time(np.arange(499), length=2, held_out=0.25)
    rows = rows_of(x, split.train, split.held_out, length=2, stretch=4)
    first = np.random.default_rng(1)
    params = {name: 0.3 * first.normal(size=(6, 6)).astype(np.float32) for name in "ab"}
    options = {"length": 1, "config": CONFIG, "mesh": mesh, **more}
    if not n_members:
        return fit(autoregression, params, rows, split.train, split.held_out, seed=(0,), **options)
    several = jax.tree.map(lambda leaf: np.repeat(leaf[None], n_members, 0), params)
    starts = np.repeat(split.train[None], n_members, 0)
    seeds = [(m,) for m in range(n_members)]
    return fit_members(
        autoregression, several, rows, starts, split.held_out, seeds=seeds, **options
    )


def difference(found, expected):
    """Largest absolute difference between two results of training."""
    pairs = zip(jax.tree.leaves(found.params), jax.tree.leaves(expected.params), strict=True)
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)


def unequal(found, expected):
    """How many arrays differ in a bit."""
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in pairs]
    return sum(not np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


def searched(mesh, search, **more):
    """A search that has not been made before."""
    _small_work._spent.clear()
    corr, n_samples = lagged_correlation(x, np.arange(495), max_lag=2)
    return search(corr, n_samples, n_vars=6, mesh=mesh, **more)


def training_results():
    """Differences between training on several devices and on one."""
    alone = trained(None)
    if PROCESSES:
        return {"batches": difference(trained(SHARING), alone)}
    members = trained(row_mesh(), 4)
    first = members._replace(params=jax.tree.map(lambda leaf: leaf[0], members.params))
    assert len(np.unique(members.params["a"], axis=0)) == 4
    return {"first member": difference(first, alone)}


def resumed():
    """Whether training that was stopped half-way ends as if it had not been; files per process."""

    class Stopped(Exception):
        pass

    def stop(progress):
        if progress.step >= 40:
            raise Stopped

    path = Path(FOLDER) / str(jax.process_index()) / "checkpoint"
    try:
        trained(row_mesh(), checkpoint=path, on_progress=stop)
    except Stopped:
        pass
    files, steps = path.exists(), []
    again = trained(
        row_mesh(), checkpoint=path, on_progress=lambda progress: steps.append(progress.step)
    )
    return {
        "wrote": files,
        "first step": min(steps),
        "difference": difference(again, trained(row_mesh())),
    }


def search_results():
    """Arrays that differ between searches on several devices and on one."""
    found = {}
    for search in (jc.discovery.pcmci, jc.discovery.pcmci_plus):
        expected = searched(None, search)
        found[search.__name__] = unequal(searched(SHARING, search), expected)
    if not PROCESSES:
        pairs = np.argwhere(np.triu(np.ones((30, 30)), 1))
        tests = *pairs.T, np.repeat([[30, 31]], len(pairs), axis=0)
        corr = np.corrcoef(rng.normal(size=(32, 200)))
        one, several = (student_test.StudentTest(corr, 200, mesh=m) for m in (None, SHARING))
        with compiling_at_once():
            found["compiled"] = unequal(several(*tests), one(*tests))
    return found


def discovered(mesh, **options):
    _small_work._spent.clear()
    return jc.discover(x[:, :4], 2, progress=False, mesh=mesh, **options)


def discoveries():
    """What `discover` finds on several devices beside what it finds on one."""
    found = {}
    for method in ("pc", "pcmci", "pcmci+"):
        one, several = (discovered(mesh, method=method) for mesh in (None, SHARING))
        found[method] = unequal(
            (several.graph, several.scores, several.info.p_value),
            (one.graph, one.scores, one.info.p_value),
        )
        assert several.info.settings["mesh"] == "3 devices"
    options = {"model": "small", "training": CONFIG, "transform": "standardise", "domain": None}
    options["readout"] = "gradient_energy"
    one, several = (discovered(mesh, **options) for mesh in (None, SHARING))
    found["graph"] = unequal(several.graph, one.graph)
    found["scores"] = float(np.abs(several.scores - one.scores).max() / one.scores.max())
    found["error"] = abs(several.info.held_out_error / one.info.held_out_error - 1)
    return found


@dataclasses.dataclass(frozen=True)
class Tiny:
    """What a `TextModel` asks of a model."""

    params: Any
    max_length: int = 8
    config: ClassVar[Any] = SimpleNamespace(pad_token_id=1, vocab_size=20)
    raw: ClassVar[Any] = types.MappingProxyType({})

    @staticmethod
    def apply(params, ids, mask):
        return SimpleNamespace(logits=(params[ids] * mask[:, :, None].astype(jnp.float32)).sum(1))


def outputs():
    """Differences between outputs for versions of a text on several devices and on one."""
    from jaxcause.workflows import TextModel

    tokenizer = SimpleNamespace(mask_token_id=4, pad_token_id=1)
    model = TextModel(Tiny(rng.normal(size=(20, 3)).astype(np.float32)), tokenizer, "tiny")
    removed = rng.random((7, 8)) < 0.5
    options = {"position": None, "original": 1, "intervention": "pad"}
    both = (m.outputs(np.arange(8) + 5, removed, **options) for m in (model, model.on(SHARING)))
    return unequal(*both)


document = {"training": training_results(), "searches": search_results()}
if PROCESSES:
    document["checkpoint"] = resumed()
else:
    document |= {"discover": discoveries(), "outputs": outputs()}
sys.stdout.write(json.dumps(document) + "\n")
