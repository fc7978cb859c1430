"""A page inside a notebook."""

from jaxcause.report._markup import escape, isolate
from jaxcause.report._values import visible

_HEIGHT = 680


def notebook_frame(page: str, headline: str) -> str:
    """HTML for a notebook's output: a headline, and the page in a frame of its own below.

    Scripts of the page run in a sandbox that reaches neither the notebook nor a network. Where
    frames are not shown, as on GitHub, the headline remains.

    Args:
        page: A page of this package.
        headline: The result in one line.

    >>> notebook_frame("<p>page</p>", "2 edges")[:25]
    '<p><bdi>2 edges</bdi></p>'
    """
    return (
        f"<p>{isolate(visible(headline))}</p>"
        f'<iframe sandbox="allow-scripts" srcdoc="{escape(page)}" title="{escape(headline)}" '
        f'style="width:100%;height:{_HEIGHT}px;border:0"></iframe>'
    )
