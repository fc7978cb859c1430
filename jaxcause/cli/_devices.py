"""The devices that share the work of a command, also those of several processes."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jaxcause._errors import InputError
from jaxcause.cli._output import complain, silent
from jaxcause.cli._parser import Parser, whole

if TYPE_CHECKING:
    from jax.sharding import Mesh

DEVICES: tuple[str, dict[str, Any]] = (
    "--devices",
    {
        "type": whole(1),
        "metavar": "N",
        "help": "devices of this machine that share the work (default: one; with --distributed, "
        "all of each process)",
    },
)
"""The flag of ``mesh``, and what argparse needs to know of it."""

LOST = ("Gloo", "NCCL", "CoordinationService", "UNAVAILABLE")
"""Words of errors that JAX raises where a process has lost the others."""

BY_HAND = ("coordinator", "process_id", "processes")
"""Options that say what a cluster does not."""


def add_processes(command: Parser) -> Any:
    """Add the options of one process among several; returns their group."""
    group = command.add_argument_group("several devices and processes")
    add = group.add_argument
    add(
        "--distributed",
        action="store_true",
        help="this is one of several processes that share the work, each of which runs the same "
        "command; SLURM or Kubernetes says which, or the options below. The first one writes and "
        "prints",
    )
    add("--coordinator", metavar="HOST:PORT", help="address of the first process")
    add("--process-id", type=whole(0), metavar="I", help="number of this process, from 0")
    add("--processes", type=whole(1), metavar="N", help="how many processes there are")
    return group


def wants_processes(arguments: argparse.Namespace) -> bool:
    """Whether the command is to run in several processes."""
    return arguments.distributed or any(getattr(arguments, name) is not None for name in BY_HAND)


@contextlib.contextmanager
def joined(arguments: argparse.Namespace) -> Iterator[bool]:
    """A context in which this process shares work with the others, if there are any.

    It is entered before anything asks JAX for devices. Processes but the first print nothing.

    Returns:
        Whether this process is the first one, which writes.

    Raises:
        InputError: It is not known what to join, it cannot be joined, or another process ended.
    """
    if not wants_processes(arguments):
        yield True
        return
    import jax

    place = _place(arguments)
    if not silent(arguments):
        complain("waiting for the other processes, five minutes at most")
    try:
        jax.distributed.initialize(**place)
    except (ValueError, RuntimeError, OSError) as error:
        raise InputError(_not_joined(place, error)) from None
    with _only_ours_on_stdout():
        first = jax.process_index() == 0
        if not first:
            arguments.quiet, arguments.json = True, False
        try:
            yield first
        except RuntimeError as error:
            if not any(word in str(error) for word in LOST):
                raise
            raise InputError(
                "another process of the command ended, or cannot be reached; see what it printed"
            ) from None
    # The first process waits for the others. After an error it does not: they are to end as well.
    jax.distributed.shutdown()


def mesh_of(arguments: argparse.Namespace) -> "Mesh | None":
    """The mesh that was asked for; None for one device.

    Raises:
        InputError: There are fewer devices.
    """
    if arguments.mesh is None and not wants_processes(arguments):
        return None
    import jax

    from jaxcause.sharding import row_mesh

    n_here, n_devices = len(jax.local_devices()), arguments.mesh
    if n_devices is None:
        return row_mesh()
    if n_devices > n_here:
        kind, more = jax.local_devices()[0].platform, ""
        if kind == "cpu":
            flag = f"XLA_FLAGS=--xla_force_host_platform_device_count={n_devices}"
            more = f", or set {flag}, which divides the CPU"
        raise InputError(
            f"--devices {n_devices} is more than JAX finds here ({n_here} of kind {kind}); give "
            f"at most {n_here}{more}"
        )
    of_process: dict[int, list[Any]] = {}
    for device in jax.devices():
        of_process.setdefault(device.process_index, []).append(device)
    return row_mesh([d for own in of_process.values() for d in own[:n_devices]])


@contextlib.contextmanager
def _only_ours_on_stdout() -> Iterator[None]:
    """Send what libraries print by themselves, as Gloo does when it connects, to stderr."""
    ours = os.dup(1)
    try:
        os.dup2(2, 1)
        encoding = sys.stdout.encoding
        with (
            os.fdopen(ours, "w", encoding=encoding, closefd=False) as file,
            contextlib.redirect_stdout(file),
        ):
            yield
    finally:
        os.dup2(ours, 1)
        os.close(ours)


def _place(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `jax.distributed.initialize` is told; nothing if the cluster says it."""
    given = [getattr(arguments, name) for name in BY_HAND]
    if given == [None] * 3:
        return {}
    if None in given:
        raise InputError(
            "--coordinator, --process-id and --processes belong together; give all three, or "
            "--distributed alone under SLURM or Kubernetes"
        )
    address, number, n_processes = given
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"--coordinator {address!r} is no address; write it as HOST:PORT")
    if number >= n_processes:
        raise InputError(
            f"--process-id {number} is not one of {n_processes} processes; give 0 to "
            f"{n_processes - 1}"
        )
    return {
        "coordinator_address": address,
        "num_processes": n_processes,
        "process_id": number,
    }


def _not_joined(place: dict[str, Any], error: Exception) -> str:
    if not place and isinstance(error, ValueError):
        return (
            "--distributed finds no variables of SLURM or Kubernetes (there it needs the package "
            "kubernetes); give --coordinator HOST:PORT --process-id I --processes N"
        )
    where = f"at {place['coordinator_address']}" if place else "of the cluster"
    return f"cannot join the processes {where}: {error}; check that all of them were started"
