"""Processes that are killed while they write, played in one process."""

import os

from jaxcause import _replacing


class Killed(BaseException):
    """In place of SIGKILL: nobody catches it."""


class DyingOs:
    """The module ``os`` up to a step of a writer; the step is half done, and then nothing is.

    Args:
        n_steps: Steps that are done before.
        steps: Functions that count.
    """

    STEPS = ("open", "ftruncate", "write", "fsync", "replace")

    def __init__(self, n_steps, steps=STEPS):
        self.left, self.steps, self.dead = n_steps, steps, False

    def __getattr__(self, name):
        real = getattr(os, name)
        if name in self.steps:
            return lambda *args: self._step(name, real, args)
        # The system closes the files of a dead process, which removes nothing any more.
        return self._nothing if name == "unlink" and self.dead else real

    def _step(self, name, real, args):
        if not self.dead and self.left > 0:
            self.left -= 1
            return real(*args)
        if not self.dead and name == "write":
            file, data = args
            real(file, data[: len(data) // 2])
        self.dead = True
        raise Killed

    def _nothing(self, *_):
        raise Killed


def dies(call, n_steps, monkeypatch, steps=DyingOs.STEPS):
    """Whether a call was killed at a step of what it writes; else it is done."""
    with monkeypatch.context() as patch:
        patch.setattr(_replacing, "os", DyingOs(n_steps, steps))
        try:
            call()
        except Killed:
            return True
    return False


def dies_in_write(call, n_files, monkeypatch):
    """Whether a call was killed when all but the name of a file was written; else it is done."""
    return dies(call, n_files, monkeypatch, steps=("replace",))
