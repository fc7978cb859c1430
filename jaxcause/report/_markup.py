"""Templates of the package, and text that is safe to put into them."""

import html
import json
import re
from collections.abc import Iterable
from importlib import resources
from typing import Any

from jaxcause.report._values import visible

MAP = (
    '<canvas tabindex="0" role="img" aria-label="{label}; arrow keys read the cells"></canvas>'
    '<div class="scale"><span class="low num"></span><span class="ramp"></span>'
    '<span class="high num"></span></div><output aria-live="polite"></output>'
)
DOWNLOADS = (
    '<div class="group" role="group" aria-label="Downloads"><span class="soft">Download</span>'
    '<span class="seg">'
    + "".join(
        f'<button data-download="{kind}">{kind.upper()}</button>'
        for kind in ("svg", "png", "csv", "json")
    )
    + "</span></div>"
)
"""Buttons that save the picture as it is shown, and the edges."""
_SLOT = re.compile(r"\{\{([\w:, -]+)\}\}")


def asset(name: str) -> str:
    """A template, style sheet or script in the folder of this module."""
    return resources.files("jaxcause.report").joinpath(name).read_text(encoding="utf-8")


def fill(template: str, values: dict[str, str]) -> str:
    """Put HTML into the slots of a template, in one pass, so inserted text has no slots."""
    return _SLOT.sub(lambda found: values[found[1]], template)


def head(title: str, *sheets: str) -> str:
    """The head of a page; its security policy forbids loading anything from elsewhere."""
    css = "".join(map(asset, ("page.css", *sheets)))
    return fill(asset("head.html"), {"title": escape(title), "css": css})


def script(*names: str) -> str:
    """Scripts of the package as one script, whose names do not leak into the page."""
    return '(() => {\n"use strict";\n' + "\n".join(map(asset, names)) + "})();"


def escape(text: Any) -> str:
    """Text for an element or a quoted attribute."""
    return html.escape(str(text).encode("utf-8", "replace").decode(), quote=True)


def isolate(text: Any) -> str:
    """Text whose writing direction does not affect the text around it."""
    return f"<bdi>{escape(text)}</bdi>"


def script_json(value: Any) -> str:
    r"""JSON without characters that would end a script element early.

    >>> script_json({"token": "</script>"})
    '{"token":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def bullets(lines: Iterable[Any]) -> str:
    """A list; empty text if there are no lines."""
    items = "".join(f"<li>{isolate(visible(line))}</li>" for line in lines)
    return f'<ul class="plain">{items}</ul>' if items else ""


def card(key: str, title: str, content: str) -> str:
    """A section with a heading; empty text if there is no content."""
    if not content:
        return ""
    return (
        f'<section class="card" aria-labelledby="{key}"><div class="head">'
        f'<h2 id="{key}">{escape(title)}</h2></div>{content}</section>'
    )


def facts(title: str, values: dict[str, Any]) -> str:
    """A list of names and values under a heading; empty text if there are no values."""
    if not values:
        return ""
    rows = "".join(
        f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{isolate(_said(value))}</dd>"
        for key, value in values.items()
    )
    return f'<div><h3>{escape(title)}</h3><dl class="facts">{rows}</dl></div>'


def _said(value: Any) -> str:
    """A setting in words."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
