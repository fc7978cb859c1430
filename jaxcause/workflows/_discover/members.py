"""Members of an ensemble, trained on from one model."""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from jaxcause._checkpoint import as_tree, fingerprint, load_checkpoint, save_checkpoint
from jaxcause.models.forecaster import Params
from jaxcause.training import Progress, fit_members
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.progress import training_bar
from jaxcause.workflows._discover.random_keys import words_of
from jaxcause.workflows._discover.training import Loss, TrainedModel, series_rows

MEMBER_SHARE = 0.2
"""Steps of a member of an ensemble, which starts from the model of the whole series."""
BLOCKS = 50
"""Blocks of windows that a member draws from with replacement (at least ``2 * max_lag`` long)."""


def train_members(
    trained: TrainedModel,
    data: Prepared,
    keys: Sequence[PRNGKeyArray],
    *,
    label: str,
    progress: bool,
    checkpoint: Path | None = None,
    mesh: Mesh | None = None,
) -> Params:
    """Members of an ensemble, each trained on from the same model on its own block bootstrap.

    A member draws blocks of consecutive windows with replacement, as many as there are, and takes
    a fifth of the steps that the model took, with a learning rate that rises and falls again.

    Args:
        trained: The model of the whole series.
        data: The series.
        keys: A random key for each member.
        label: Of the progress bar.
        progress: Whether to draw one.
        checkpoint: File to which members are saved as they are done, and from which the same call
            goes on.
        mesh: Devices that share the members; those that are too few for all of the devices are
            trained by all of them together.

    Raises:
        InputError: The checkpoint is damaged, belongs to another call, or cannot be written.
    """
    groups = _groups(len(keys), mesh)
    n_devices = 1 if mesh is None else mesh.size
    side_by_side = max(1, max(last - first for first, last in groups) // n_devices)
    training = dataclasses.replace(
        trained.training,
        n_steps=max(1, int(MEMBER_SHARE * trained.result.history[-1].step)),
        n_evaluations=2,
        steps_per_call=max(1, trained.training.steps_per_call // side_by_side),
    )
    starts = np.stack([_block_bootstrap(key, data) for key in keys])
    rows, of = series_rows(trained.config, data, training), ""
    if checkpoint is not None:
        seeds = [words_of(key) for key in keys]
        of = fingerprint(trained.result.params, data.values, starts, training, seeds, groups)
    results = _members_of(checkpoint, trained.result.params, of, mesh)
    with training_bar(label, show=progress) as on_progress:
        for group in range(len(results), len(groups)):
            first, last = groups[group]

            def step_of_all(at: Progress, done: int = group * training.n_steps) -> None:
                total = training.n_steps * len(groups)
                on_progress(at._replace(step=at.step + done, n_steps=total))

            result = fit_members(
                Loss(trained.config),
                _copies(trained.result.params, last - first),
                rows,
                starts[first:last],
                data.split.held_out,
                length=data.max_lag,
                config=training,
                seeds=[words_of(key) for key in keys[first:last]],
                on_progress=step_of_all,
                mesh=mesh,
            )
            results.append(result.params)
            if checkpoint is not None:
                state = {"n": len(results), "members": results}
                save_checkpoint(checkpoint, state, of=of, mesh=mesh)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *results)


def _groups(n_members: int, mesh: Mesh | None) -> list[tuple[int, int]]:
    """First and last of the members that are trained side by side.

    One member fills a CPU, and its arrays still fit the cache, so that there each device trains one
    at a time. Members that are too few for all devices come last.

    >>> _groups(3, None)
    [(0, 1), (1, 2), (2, 3)]
    """
    n_devices = 1 if mesh is None else mesh.size
    shared_out = n_members // n_devices * n_devices
    on_cpu = (jax.default_backend() if mesh is None else mesh.devices.flat[0].platform) == "cpu"
    at_once = n_devices if on_cpu else max(shared_out, 1)
    borders = [*range(0, shared_out, at_once), shared_out]
    if n_members > shared_out:
        borders += range(shared_out + 1, n_members) if on_cpu else []
        borders.append(n_members)
    return list(pairwise(borders))


def _copies(params: Params, n_members: int) -> Params:
    """The same parameters for every member."""
    return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (n_members, *np.shape(leaf))), params)


def _members_of(checkpoint: Path | None, like: Params, of: str, mesh: Mesh | None) -> list[Params]:
    """The members that an interrupted call has saved."""
    found = None if checkpoint is None else load_checkpoint(checkpoint, of=of, mesh=mesh)
    return [] if found is None else as_tree(found, [like] * int(found["n"]), at="members")


def _block_bootstrap(key: PRNGKeyArray, data: Prepared) -> np.ndarray:
    starts = data.split.train
    length = min(len(starts), max(2 * data.max_lag, len(starts) // BLOCKS, 1))
    n_blocks, rng = -(-len(starts) // length), np.random.default_rng(words_of(key))
    first = rng.integers(0, len(starts) - length + 1, n_blocks)
    return starts[(first[:, None] + np.arange(length)).ravel()[: len(starts)]]
