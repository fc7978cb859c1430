"""What is being done, on stderr: stages, and a bar for training."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from jaxcause.training import Progress


@contextmanager
def stage(label: str, *, show: bool) -> Iterator[None]:
    """Say on stderr what is being done, and how long it took."""
    with tqdm(desc=label, total=1, bar_format="{desc} [{elapsed}]", disable=not show) as bar:
        yield
        bar.update()


@contextmanager
def training_bar(label: str, *, show: bool) -> Iterator[Callable[["Progress"], None]]:
    """Give a callback that draws steps, loss, held-out error and the remaining time on stderr.

    Where training ends before its last step, the bar says that it stopped early.
    """
    # A terminal is redrawn often; a log file gets a line now and then.
    interval = 0.2 if sys.stderr.isatty() else 10.0
    with tqdm(desc=label, unit="step", disable=not show, mininterval=interval, leave=show) as bar:
        bar.set_postfix_str("compiling")

        said = ""

        def update(progress: "Progress") -> None:
            nonlocal said
            bar.total = progress.n_steps
            said = f"loss {progress.loss:.4f}, held out {progress.held_out:.4f}"
            bar.set_postfix_str(said, refresh=False)
            bar.update(progress.step - bar.n)

        yield update
        if said and bar.n < bar.total:
            bar.set_postfix_str(f"{said}, stopped early")
