"""One call in a process of its own: ``python -m benchmarks.first.worker '["pc", 20]' REPEATS``."""

import builtins
import contextlib
import io
import json
import sys
import time
import warnings
from typing import Any

from benchmarks.first.cases import KINDS, NotInstalled

MARK = "RESULT "


class Importing:
    """Seconds inside import statements: the outermost ones, so that none counts twice."""

    def __init__(self) -> None:
        self.seconds, self._depth, self._plain = 0.0, 0, builtins.__import__
        builtins.__import__ = self._timed

    def _timed(self, *args: Any, **options: Any) -> Any:
        if self._depth:
            return self._plain(*args, **options)
        self._depth, began = 1, time.perf_counter()
        try:
            return self._plain(*args, **options)
        finally:
            self._depth = 0
            self.seconds += time.perf_counter() - began


def listen(programs: list[float]) -> None:
    """Note the seconds of every program that XLA compiles, or the cache loads, from now on."""
    import jax

    def note(event: str, seconds: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            programs.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(note)


def main() -> None:
    warnings.simplefilter("ignore")
    (kind, *sizes), repeats = json.loads(sys.argv[1]), int(sys.argv[2])
    try:
        call = KINDS[kind](*sizes)
    except NotInstalled as reason:
        print(MARK + json.dumps({"skipped": str(reason)}))
        return
    programs: list[float] = []
    importing = Importing()
    began = time.perf_counter()
    if not kind.startswith(("andrey", "tigramite", "causal")):
        listen(programs)
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        _finish(call)
        first = time.perf_counter() - began
        told = {
            "first s": first,
            "importing s": importing.seconds,
            "programs": len(programs),
            "compiling s": sum(programs),
            "without imports s": first - importing.seconds,
        }
        warm = []
        for _ in range(repeats):
            began = time.perf_counter()
            _finish(call)
            warm.append(time.perf_counter() - began)
    if warm:
        told["warm s"] = min(warm)
    print(MARK + json.dumps(told), flush=True)


def _finish(call: Any) -> None:
    """Make the call; JAX computes in the background, so wait for what it returns."""
    try:
        found = call()
    except SystemExit as done:
        if done.code not in (0, None):
            raise RuntimeError(f"the command ended with status {done.code}") from None
        return
    if "jax" in sys.modules:
        import jax

        jax.block_until_ready([leaf for leaf in jax.tree.leaves(found) if hasattr(leaf, "dtype")])


if __name__ == "__main__":
    main()
