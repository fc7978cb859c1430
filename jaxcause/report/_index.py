"""A table of many texts, each with a link to its page."""

from typing import Any
from urllib.parse import quote, urlsplit

from jaxcause._checks import InputError
from jaxcause.report._markup import asset, escape, fill, head, isolate
from jaxcause.report._values import visible


def index_page(rows: list[dict[str, Any]], *, title: str = "Explanations") -> str:
    """Write a self-contained HTML page with a sortable table of texts.

    Args:
        rows: One per text: ``href`` (where its page lies, relative to this one), ``text``,
            ``output``, ``tokens`` (of its smallest explanation, or None if none was found),
            ``n_queries``, ``status``. Only ``href`` and ``text`` are required.
        title: Heading of the page.

    Returns:
        The page; write it as UTF-8.

    Raises:
        InputError: An ``href`` is not a relative path.

    >>> page = index_page([{"href": "0/explanation.html", "text": "a fine film"}])
    >>> 'href="0/explanation.html"' in page
    True
    """
    explained = sum(bool(row.get("tokens")) for row in rows)
    values = {
        "title": escape(visible(title)),
        "head": head(visible(title), "index.css"),
        "js": asset("index.js"),
        "summary": f"{len(rows)} texts; an explanation was found for {explained}.",
        "rows": "".join(map(_row, rows)) or '<tr><td colspan="6">There are no texts.</td></tr>',
    }
    return fill(asset("index.html"), values)


def _row(row: dict[str, Any]) -> str:
    """A row of the table; number cells carry the key by which the table is sorted."""
    tokens, output = row.get("tokens"), row.get("output")
    named = "{" + ", ".join(isolate(visible(token)) for token in tokens) + "}" if tokens else "–"
    link = f'<a href="{_relative(row["href"])}">{isolate(visible(row["text"]))}</a>'
    numbers = [len(tokens) if tokens else None, row.get("n_queries")]
    cells = "".join(
        f'<td class="num" data-key="{"" if n is None else escape(n)}">'
        f"{'–' if n is None else escape(n)}</td>"
        for n in numbers
    )
    said = "–" if output is None else isolate(visible(output))
    status = escape(row.get("status") or "–")
    return f"<tr><td>{link}</td><td>{said}</td><td>{named}</td>{cells}<td>{status}</td></tr>"


def _relative(href: str) -> str:
    """A relative path, quoted for a URL; a scheme or a host is refused."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc or href.startswith(("/", "\\")):
        raise InputError(f"href={href!r} must be a relative path, such as 0/explanation.html")
    return escape(quote(href))
