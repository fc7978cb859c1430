"""Options that the readouts over windows share; `moments_over_windows` describes them."""

from typing import TypedDict

from jax.sharding import Mesh
from jaxtyping import Int

from jaxcause._typing import AnyArray


class WindowOptions(TypedDict, total=False):
    """Options of every readout that is a mean over windows, such as `gradient_energy`."""

    targets: Int[AnyArray, "targets"] | None
    batch_size: int | None
    target_block: int | None
    mesh: Mesh | None
