"""A page inside a notebook."""

from jaxcause.report._markup import escape, isolate
from jaxcause.report._values import visible

_HEIGHT = 680


def notebook_frame(page: str, headline: str) -> str:
    """HTML for the output of a notebook cell: a headline, and below it the page in a frame.

    The scripts of the page run in a sandbox without access to the notebook or a network. Viewers
    that do not show frames, such as GitHub, show the headline alone.

    Args:
        page: A page of this package.
        headline: The result in one line.

    >>> notebook_frame("<p>page</p>", "2 edges")[:25]
    '<p><bdi>2 edges</bdi></p>'
    """
    return (
        f"<p>{isolate(visible(headline))}</p>"
        f'<iframe sandbox="allow-scripts allow-downloads" srcdoc="{escape(page)}" '
        f'title="{escape(headline)}" '
        f'style="width:100%;height:{_HEIGHT}px;border:0"></iframe>'
    )
