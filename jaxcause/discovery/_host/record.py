"""The state of a search after each level, in a file from which a later call goes on."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from jaxcause._checkpoint import as_tree, load_checkpoint, save_checkpoint
from jaxcause._checks import InputError
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
    """

    path: Path | None = None
    of: str = ""

    def save(self, state: Any) -> None:
        """Write the state after a level.

        Raises:
            InputError: The file cannot be written.
        """
        if self.path is not None:
            content = {"levels": len(state.skeleton.levels), "state": state}
            save_checkpoint(self.path, content, of=self.of)

    def load(self, start: Any) -> Any:
        """The state after the last level that was written; None if there is none.

        Args:
            start: The state before any level.

        Raises:
            InputError: The file is damaged, or belongs to another search.
        """
        arrays = None if self.path is None else load_checkpoint(self.path, of=self.of)
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


def check_recordable(mesh: Mesh | None) -> None:
    """Raise if several processes search together: each would write the file.

    Raises:
        InputError: They do.
    """
    if mesh is not None and jax.process_count() > 1:
        raise InputError(
            f"checkpoint is for one process, and {jax.process_count()} share this mesh; leave "
            "checkpoint or mesh out"
        )
