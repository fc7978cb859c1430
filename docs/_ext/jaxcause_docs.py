"""What these pages need of Sphinx: figures of benchmarks, help of commands, mathematics as MathML.

Everything is made from files of the repository when the pages are built; nothing is fetched, then
or when they are read.
"""

import io
import json
import os
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import getLogger
from sphinx.util.nodes import make_refnode

ROOT = Path(__file__).parents[2]
REPOSITORY_LINKS = (
    (r"\]\((?:\.\./)+benchmarks/results/[\w-]+\.md\)", "](/performance.md)"),
    (r"\]\((?:\.\./)+examples/?\)", "](/examples.md)"),
    (r"\]\((?:\.\./)+examples/(\d\d)_\w+\.py\)", r"](#example-\1)"),
    (r"\]\((?:\.\./)+README\.md\)", "](/index.md)"),
)
"""Links that lead out of docs/ on GitHub, and where they lead in the pages."""

logger = getLogger(__name__)


def words(text: str) -> list[str]:
    """Columns, separated by ``|``."""
    return [word.strip() for word in text.split("|")]


class Benchmark(SphinxDirective):
    """A table from ``benchmarks/results/NAME.json``.

    Options: ``columns`` to show, with ``|`` between them; ``where``, conditions such as
    ``size = p=200`` (regular expressions) with ``;`` between them; ``titles`` of the columns;
    ``table``, where the rows belong to several; ``limit``, the most rows.
    """

    required_arguments = 1
    option_spec = {  # noqa: RUF012
        "columns": directives.unchanged_required,
        "titles": directives.unchanged,
        "where": directives.unchanged,
        "table": directives.unchanged,
        "limit": directives.positive_int,
    }

    def run(self) -> list[nodes.Node]:
        """The table, and what it was measured on."""
        path = ROOT / "benchmarks" / "results" / f"{self.arguments[0]}.json"
        self.env.note_dependency(str(path))
        if not path.is_file():
            return [nodes.paragraph("", "", nodes.emphasis("", "Not measured yet."))]
        document = json.loads(path.read_text(encoding="utf-8"))
        rows = [row for row in document["rows"] if self._wanted(row)]
        if not rows:
            raise self.error(f"no row of {path.name} fits {self.options}")
        every = dict.fromkeys(key for row in rows for key in row if key != "table")
        columns = words(self.options["columns"]) if "columns" in self.options else list(every)
        unknown = [c for c in columns if not any(c in row for row in rows)]
        if unknown:
            raise self.error(f"no row of {path.name} has a column {unknown[0]!r}")
        titles = words(self.options["titles"]) if "titles" in self.options else columns
        body = [[cell(row.get(c)) for c in columns] for row in rows[: self.options.get("limit")]]
        machine = document["machine"]
        source = nodes.caption("", "")
        source += nodes.literal("", document["command"])
        source += nodes.Text(" on " + ", ".join(f"{k} {v}" for k, v in machine.items()))
        return [table(titles, body), nodes.paragraph("", "", *source.children, classes=["machine"])]

    def _wanted(self, row: dict[str, Any]) -> bool:
        if row.get("table", "") != self.options.get("table", ""):
            return False
        conditions = [c.split("=", 1) for c in self.options.get("where", "").split(";") if c]
        return all(re.search(value.strip(), str(row.get(key.strip()))) for key, value in conditions)


def cell(value: Any) -> str:
    """A number with three digits, or text."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def table(titles: list[str], body: list[list[str]]) -> nodes.table:
    """A table of text."""
    group = nodes.tgroup(cols=len(titles))
    group += [nodes.colspec(colwidth=1) for _ in titles]
    head, rows = nodes.thead(), nodes.tbody()
    for part, lines in ((head, [titles]), (rows, body)):
        for line in lines:
            row = nodes.row()
            row += [nodes.entry("", nodes.paragraph("", text)) for text in line]
            part += row
    group += [head, rows]
    return nodes.table("", group)


class CommandHelp(SphinxDirective):
    """What ``jaxcause COMMAND --help`` prints."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The text as it stands in a terminal of 88 columns."""
        from jaxcause.cli import main

        os.environ["COLUMNS"] = "88"
        printed = io.StringIO()
        with redirect_stdout(printed):
            try:
                main([*self.arguments, "--help"])
            except SystemExit as ended:
                if ended.code:
                    raise self.error(f"{self.arguments} --help fails") from None
        text = printed.getvalue()
        return [nodes.literal_block(text, text, language="text")]


def to_pages(app: Sphinx, name: str, source: list[str]) -> None:
    """Links into the repository become links to pages, and lists of files are filled in."""
    source[0] = source[0].replace("<!-- examples -->", "\n".join(examples()))
    source[0] = source[0].replace("<!-- benchmarks -->", "\n".join(benchmarks()))
    for pattern, target in REPOSITORY_LINKS:
        source[0] = re.sub(pattern, target, source[0])


def examples() -> list[str]:
    """A section for each numbered script."""
    lines = []
    for path in sorted((ROOT / "examples").glob("[0-9]*.py")):
        number, title = path.stem.split("_", 1)
        lines += [f"(example-{number})=", f"## {number} {title.replace('_', ' ')}", ""]
        lines += [f"```{{literalinclude}} ../examples/{path.name}", "```", ""]
    return lines


def benchmarks() -> list[str]:
    """A section for each file of results, whatever is there."""
    lines = []
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        lines += [f"## {path.stem.replace('_', ' ')}", ""]
        for title in dict.fromkeys(row.get("table", "") for row in rows):
            lines += [f"### {title}", ""] * bool(title)
            option = [f":table: {title}"] * bool(title)
            lines += [f"```{{benchmark}} {path.stem}", *option, "```", ""]
    return lines


def no_substitutions(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """``|r|`` in a docstring is a size, not a substitution."""
    in_math = False
    for k, line in enumerate(lines):
        in_math = line.lstrip().startswith(".. math::") or (in_math and bool(line.strip()))
        if not in_math:
            parts = re.split(r"(`+[^`]*`+)", line)
            lines[k] = "".join(p if p.startswith("`") else p.replace("|", r"\|") for p in parts)


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Fields of named tuples stand under Args already."""
    field = str(getattr(obj, "__doc__", "")).startswith("Alias for field number")
    return True if field else None


def by_short_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.TextElement
) -> nodes.reference | None:
    """A reference to the one documented class, function or error of that name, in any module."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].rsplit(".", 1)[-1]
    found = {
        (entry.docname, entry.node_id)
        for full, entry in env.domains.python_domain.objects.items()
        if full.rsplit(".", 1)[-1] == name
        and entry.objtype in ("class", "function", "exception")
        and not entry.aliased
    }
    if len(found) != 1:
        return None
    page, anchor = found.pop()
    return make_refnode(app.builder, node["refdoc"], page, anchor, shown, name)


def mathml(node: nodes.Element, *, block: bool) -> str:
    """TeX as MathML, which browsers draw without a script."""
    tex = node.astext()
    tex = tex.replace("…", r"\ldots ").replace(r"\dots", r"\ldots")
    try:
        return tex2mathml(tex, as_block=block)
    except Exception as error:  # noqa: BLE001
        logger.warning("cannot turn %r into MathML: %s", tex, error, location=node)
        return tex


def visit_inline(self: Any, node: nodes.Element) -> None:
    """Mathematics within a line."""
    self.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.Element) -> None:
    """Mathematics in lines of its own."""
    self.body.append(f'<div class="math">{mathml(node, block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Enter all of this."""
    app.add_directive("benchmark", Benchmark)
    app.add_directive("command-help", CommandHelp)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("source-read", to_pages)
    app.connect("missing-reference", by_short_name)
    app.connect("autodoc-process-docstring", no_substitutions)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
