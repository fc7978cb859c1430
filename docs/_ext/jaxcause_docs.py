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

METHODS = {
    "ours": {
        "gradient, default": "jaxcause, default",
        "gradient with the regime, default": "jaxcause, domain= regime",
        "gradient, latents searched": "jaxcause, latents=True",
        "gradient, within a step searched": "jaxcause, contemporaneous=True",
        "gaussian, default": 'jaxcause, head="gaussian"',
    },
    "VAR": {"var": "linear VAR, t-tests"},
    "LASSO": {"lasso": "linear VAR, LASSO"},
    "PCMCI": {"pcmci": "PCMCI"},
    "peers": {"tigramite PCMCI": "PCMCI of tigramite", "VARLiNGAM": "VARLiNGAM of lingam"},
    "oracle": {"oracle, latents searched": "search with a perfect test"},
}
"""Groups of methods in results, and how the pages name each method."""

logger = getLogger(__name__)


def words(text: str) -> list[str]:
    """What stands between the ``|`` of an option."""
    return [word.strip() for word in text.split("|")]


class Benchmark(SphinxDirective):
    """Tables from ``benchmarks/results/NAME.json``.

    Options: ``columns`` to show and their ``titles``, with ``|`` between them; ``where``,
    conditions such as ``size = p=200`` (regular expressions) with ``;`` between them; ``methods``,
    groups of `METHODS` with ``|`` between them; ``table``, where the rows belong to several: one or
    more, with ``|`` between them, each shown under its name; ``limit``, the most rows.
    """

    required_arguments = 1
    option_spec = {  # noqa: RUF012
        "columns": directives.unchanged_required,
        "titles": directives.unchanged,
        "where": directives.unchanged,
        "methods": directives.unchanged_required,
        "table": directives.unchanged,
        "limit": directives.positive_int,
    }

    def run(self) -> list[nodes.Node]:
        """The tables, and what they were measured on."""
        path = ROOT / "benchmarks" / "results" / f"{self.arguments[0]}.json"
        self.env.note_dependency(str(path))
        if not path.is_file():
            return [nodes.paragraph("", "", nodes.emphasis("", "Not measured yet."))]
        document = json.loads(path.read_text(encoding="utf-8"))
        shown: list[nodes.Node] = []
        names = words(self.options.get("table", ""))
        for name in names:
            if len(names) > 1:
                shown.append(nodes.rubric("", name))
            shown.append(self._table(document["rows"], name))
        source: list[nodes.Node] = [nodes.literal("", document["command"])]
        machine = ", ".join(f"{key} {value}" for key, value in document["machine"].items())
        source.append(nodes.Text(f" on {machine}"))
        return [*shown, nodes.paragraph("", "", *source, classes=["machine"])]

    def _table(self, every: list[dict[str, Any]], name: str) -> nodes.table:
        """The rows of one table that fit the options."""
        rows = [row for row in every if row.get("table", "") == name and self._wanted(row)]
        if not rows:
            raise self.error(f"no row of {self.arguments[0]}.json fits {self.options}")
        if "methods" in self.options:
            rows = [row | {"method": self._methods()[row["method"]]} for row in rows]
        keys = dict.fromkeys(key for row in rows for key in row if key != "table")
        columns = words(self.options["columns"]) if "columns" in self.options else list(keys)
        unknown = [c for c in columns if c not in keys]
        if unknown:
            raise self.error(f"no row of {self.arguments[0]}.json has a column {unknown[0]!r}")
        titles = words(self.options["titles"]) if "titles" in self.options else columns
        body = [[cell(row.get(c)) for c in columns] for row in rows[: self.options.get("limit")]]
        return table(titles, body)

    def _methods(self) -> dict[str, str]:
        """The methods of the chosen groups, and how each is named."""
        groups = words(self.options["methods"])
        unknown = [group for group in groups if group not in METHODS]
        if unknown:
            raise self.error(f"methods={unknown[0]!r}: choose among {', '.join(METHODS)}")
        return {method: name for group in groups for method, name in METHODS[group].items()}

    def _wanted(self, row: dict[str, Any]) -> bool:
        if "methods" in self.options and row.get("method") not in self._methods():
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
