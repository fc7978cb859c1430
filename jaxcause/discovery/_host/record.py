"""The state of a search after each level, in a file from which a later call goes on."""

from pathlib import Path
from typing import Any, NamedTuple

from jax.sharding import Mesh

from jaxcause._checkpoint import as_tree, load_checkpoint, save_checkpoint
from jaxcause.discovery._host.rows import Pairs
from jaxcause.discovery._host.skeleton import Level, Skeleton

_LEAF: Any = 0
_LEVEL = Level(Pairs(_LEAF, _LEAF, _LEAF), _LEAF, _LEAF, _LEAF, _LEAF, _LEAF)
"""A level as a pytree, whatever its arrays."""


class SearchRecord(NamedTuple):
    """The file of one search; without a path nothing is written or read.

    A state is a named tuple of arrays and numbers with the field ``skeleton``.

    Args:
        path: The file.
        of: Fingerprint of the test and the options.
        mesh: Devices that search; the first of their processes writes and reads the file.
    """

    path: Path | None = None
    of: str = ""
    mesh: Mesh | None = None

    def save(self, state: Any) -> None:
        """Write the state after a level.

        Raises:
            InputError: The file cannot be written.
        """
        if self.path is not None:
            content = {"levels": len(state.skeleton.levels), "state": state}
            save_checkpoint(self.path, content, of=self.of, mesh=self.mesh)

    def load(self, start: Any) -> Any:
        """The state after the last level that was written; None if there is none.

        Args:
            start: The state before any level.

        Raises:
            InputError: The file is damaged, or belongs to another search.
        """
        if self.path is None:
            return None
        arrays = load_checkpoint(self.path, of=self.of, mesh=self.mesh)
        if arrays is None:
            return None
        like: Skeleton = start.skeleton._replace(levels=(_LEVEL,) * int(arrays["levels"]))
        fields = {
            name: as_tree(arrays, like if name == "skeleton" else 0, at=f"state/{name}")
            for name in start._fields
            # What is None has no leaves.
            if name == "skeleton" or f"state/{name}" in arrays
        }
        return type(start)(**{name: fields.get(name) for name in start._fields})
