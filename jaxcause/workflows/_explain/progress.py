"""What is being done, in one line on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Tell = Callable[[str], None]
"""Takes what is being done now."""


@contextmanager
def progress_line(*, show: bool) -> Iterator[Tell]:
    """A line on stderr that says what is being done, and at last how long it took.

    It begins when there is something to say, and is taken back if an error ends the work.
    """
    lines: list[tqdm] = []

    def tell(what: str) -> None:
        if not lines:
            lines.append(
                tqdm(total=0, bar_format="Explaining: {desc} [{elapsed}]", disable=not show)
            )
        lines[0].set_description_str(what)

    try:
        yield tell
    except BaseException:
        for line in lines:
            line.leave = False
        raise
    else:
        if lines:
            tell("done")
    finally:
        for line in lines:
            line.close()
