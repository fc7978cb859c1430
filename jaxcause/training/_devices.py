"""The steps of a training on one device, or shared out over the devices of a mesh.

Members are shared out if the devices can take equally many: each device then trains its own.
Otherwise every device takes an equal share of the stretches of each batch, and one collective per
step adds up their gradients. In both cases every device, and every process, ends with everything.
"""

from functools import partial
from typing import Any

import jax
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Float, Int

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.sharding import check_row_mesh
from jaxcause.training._rows import SeriesRows
from jaxcause.training._step import (
    LossFn,
    Plan,
    StepOutcomes,
    TrainState,
    VectorLayout,
    steps_of_share,
)


def shares_members(n_members: int, mesh: Mesh) -> bool:
    """Whether each device trains some of the members, or all devices share their batches.

    >>> from jaxcause.sharding import row_mesh
    >>> shares_members(3, row_mesh(jax.devices()[:1]))
    True
    """
    return n_members % mesh.size == 0


def check_training_mesh(mesh: Mesh | None, n_members: int, batch_size: int) -> None:
    """Raise unless the mesh has one axis, and each of its devices has something to do."""
    if mesh is None:
        return
    check_row_mesh(mesh)
    if mesh.size > batch_size and not shares_members(n_members, mesh):
        raise InputError(
            f"mesh has {mesh.size} devices, more than the batch_size={batch_size} of the training "
            "that they share; give a training with larger batches, or fewer devices"
        )


@partial(
    jax.jit,
    static_argnames=("loss_fn", "layout", "stretch", "length", "mesh"),
    donate_argnames="state",
)
def run_steps(
    state: TrainState,
    plan: Plan,
    n_steps: Int[AnyArray, ""],
    rows: SeriesRows,
    decay: Float[AnyArray, "parameters"],
    free: Float[AnyArray, "parameters"],
    *,
    loss_fn: LossFn,
    layout: VectorLayout,
    stretch: int,
    length: int,
    mesh: Mesh | None,
) -> tuple[TrainState, StepOutcomes]:
    """Run the first ``n_steps`` steps of a plan: the one program of a training.

    Numbers that differ between trainings are arguments, so that these share the program. The
    arguments are those of `steps_of_share`; if devices share batches, the number of stretches is a
    multiple of theirs.
    """
    settings: Any = {"loss_fn": loss_fn, "layout": layout, "stretch": stretch, "length": length}
    given = (state, plan, n_steps, rows, decay, free)
    if mesh is None or mesh.size == 1:
        return steps_of_share(*given, axis=None, **settings)
    axis, by_members = mesh.axis_names[0], shares_members(plan.starts.shape[0], mesh)
    everywhere, share = PartitionSpec(), PartitionSpec(axis)
    of_plan: Any = Plan
    starts = share if by_members else PartitionSpec(None, None, axis)

    def of_share(*given: Any) -> tuple[TrainState, StepOutcomes]:
        if by_members:
            every = steps_of_share(*given, axis=None, **settings)
            return jax.tree.map(lambda leaf: lax.all_gather(leaf, axis, tiled=True), every)
        state, found = steps_of_share(*given, axis=axis, **settings)
        residuals = lax.all_gather(found.residuals, axis, axis=2, tiled=True)
        return state, found._replace(residuals=residuals)

    return jax.shard_map(
        of_share,
        mesh=mesh,
        in_specs=(
            share if by_members else everywhere,
            of_plan(starts, everywhere, everywhere),
            *[everywhere] * 4,
        ),
        out_specs=everywhere,
        # What has been gathered or added up is the same everywhere, which the check does not see.
        check_vma=False,
    )(*given)
