"""Runs scripts of a test in processes of their own; none is left running, however they end."""

import json
import os
import socket
import subprocess
import sys

from compilation import AS_USERS_DO

SECONDS = 400


def started(*command):
    """A Python process on the CPU; ``command`` is what stands behind ``python``."""
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ, JAX_PLATFORMS="cpu", **AS_USERS_DO),
    )


def printed_by(processes):
    """What each process printed; all of them succeed."""
    try:
        done = [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for process, (_, errors) in zip(processes, done, strict=True):
        assert process.returncode == 0, errors
    return [output for output, _ in done]


def results_of(processes):
    """The last line that each process printed, as JSON."""
    return [json.loads(output.splitlines()[-1]) for output in printed_by(processes)]


def free_port():
    """A port that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
