"""Devices that share the work of a method, as an option."""

import dataclasses
from typing import TYPE_CHECKING, Any

from jaxcause.workflows._discover.methods._links import LinkMethod

if TYPE_CHECKING:
    from jax.sharding import Mesh


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharedMethod(LinkMethod):
    """Base of the methods whose work several devices can share.

    Args:
        mesh: Devices that share the work (`jaxcause.sharding.row_mesh`), also of several processes;
            by default one device does it.
    """

    mesh: "Mesh | None" = None

    def __post_init__(self) -> None:
        """Check every option, and that the mesh has one axis."""
        super().__post_init__()
        if self.mesh is not None:
            from jaxcause.sharding import check_row_mesh

            check_row_mesh(self.mesh)

    @property
    def settings(self) -> dict[str, Any]:
        """The options as plain values; of a mesh, how many devices it has."""
        shown = super().settings
        if self.mesh is None:
            return shown
        return shown | {"mesh": f"{self.mesh.size} device{'s' * (self.mesh.size > 1)}"}
