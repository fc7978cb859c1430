"""The state of a search that has phases, in a file from which a later call goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh

from jaxcause._checkpoint import as_tree, fingerprint, load_checkpoint, save_checkpoint


class PhaseRecord:
    """How far each phase of a search has come; without a path nothing is written or read.

    A phase is a loop over numbered steps, whose state is a pytree of arrays and numbers.

    Args:
        path: The file.
        asked: Whatever the search depends on; the file of another search is refused.
        mesh: Devices that search; the first of their processes writes and reads the file.

    Raises:
        InputError: The file is damaged, or belongs to another search.
    """

    def __init__(self, path: Path | None = None, asked: Any = None, mesh: Mesh | None = None):
        self.path, self.mesh = path, mesh
        self._of, self._stored = "", {}
        self._phases: dict[str, dict[str, Any]] = {}
        if path is not None:
            self._of = fingerprint(asked)
            self._stored = load_checkpoint(path, of=self._of, mesh=mesh) or {}

    def resumed(self, phase: str, start: Any) -> tuple[int, Any]:
        """The number of steps of a phase that are done, and its state after them.

        Args:
            phase: Its name.
            start: The state before the first step, of the same structure as later ones.
        """
        step = self._stored.get(f"{phase}/step")
        if step is None:
            return 0, start
        state = as_tree(self._stored, start, at=f"{phase}/state")
        self._phases[phase] = {"step": int(step), "state": state}
        return int(step), state

    def save(self, phase: str, step: int, state: Any) -> None:
        """Write the state of a phase, beside those of the phases before it.

        Raises:
            InputError: The file cannot be written.
        """
        if self.path is not None:
            self._phases[phase] = {"step": step, "state": state}
            save_checkpoint(self.path, self._phases, of=self._of, mesh=self.mesh)

    def once(self, phase: str, work: Callable[[], np.ndarray]) -> np.ndarray:
        """What the work of a phase of one step finds: an array."""
        done, found = self.resumed(phase, 0)
        if done:
            return found
        found = work()
        self.save(phase, 1, found)
        return found

    def beside(self, part: str | int) -> Path | None:
        """The file of a search that is a part of this one."""
        return None if self.path is None else self.path.with_name(f"{self.path.name}.{part}")
