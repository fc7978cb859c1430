"""Members of an ensemble, trained on from one model."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
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
) -> Params:
    """Members of an ensemble, each trained on from the same model on its own block bootstrap.

    A member draws blocks of consecutive windows with replacement, as many as there are, and takes
    a fifth of the steps that the model took, with a learning rate that rises and falls again. One
    member fills a CPU, and its arrays still fit the cache, so that there members are trained one
    after another.

    Args:
        trained: The model of the whole series.
        data: The series.
        keys: A random key for each member.
        label: Of the progress bar.
        progress: Whether to draw one.
        checkpoint: File to which members are saved as they are done, and from which the same call
            goes on.

    Raises:
        InputError: The checkpoint is damaged, belongs to another call, or cannot be written.
    """
    n_members = len(keys)
    at_once = 1 if jax.default_backend() == "cpu" else n_members
    training = dataclasses.replace(
        trained.training,
        n_steps=max(1, int(MEMBER_SHARE * trained.result.history[-1].step)),
        n_evaluations=2,
        steps_per_call=max(1, trained.training.steps_per_call // at_once),
    )
    starts = np.stack([_block_bootstrap(key, data) for key in keys])
    params = jax.tree.map(
        lambda leaf: np.broadcast_to(leaf, (at_once, *leaf.shape)), trained.result.params
    )
    rows, of = series_rows(trained.config, data, training), ""
    if checkpoint is not None:
        seeds = [words_of(key) for key in keys]
        of = fingerprint(trained.result.params, data.values, starts, training, seeds, at_once)
    results = _members_of(checkpoint, params, of)
    with training_bar(label, show=progress) as on_progress:
        for first in range(len(results) * at_once, n_members, at_once):
            done, last = first * training.n_steps, first + at_once

            def step_of_all(at: Progress, done: int = done) -> None:
                total = training.n_steps * n_members // at_once
                on_progress(at._replace(step=at.step + done, n_steps=total))

            result = fit_members(
                Loss(trained.config),
                params,
                rows,
                starts[first:last],
                data.split.held_out,
                length=data.max_lag,
                config=training,
                seeds=[words_of(key) for key in keys[first:last]],
                on_progress=step_of_all,
            )
            results.append(result.params)
            if checkpoint is not None:
                save_checkpoint(checkpoint, {"n": len(results), "members": results}, of=of)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *results)


def _members_of(checkpoint: Path | None, like: Params, of: str) -> list[Params]:
    """The members that an interrupted call has saved."""
    found = None if checkpoint is None else load_checkpoint(checkpoint, of=of)
    return [] if found is None else as_tree(found, [like] * int(found["n"]), at="members")


def _block_bootstrap(key: PRNGKeyArray, data: Prepared) -> np.ndarray:
    starts = data.split.train
    length = min(len(starts), max(2 * data.max_lag, len(starts) // BLOCKS, 1))
    n_blocks, rng = -(-len(starts) // length), np.random.default_rng(words_of(key))
    first = rng.integers(0, len(starts) - length + 1, n_blocks)
    return starts[(first[:, None] + np.arange(length)).ravel()[: len(starts)]]
