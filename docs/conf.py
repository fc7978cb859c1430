"""Sphinx settings: ``sphinx-build -W -n -b html docs build/docs`` builds the pages."""

import os
import sys
from importlib.metadata import version as installed
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "jaxcause"
author = copyright = "The jaxcause developers"
release = version = installed("jaxcause")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "jaxcause_docs"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"jaxcause {release}"
html_static_path = ["_static"]
html_css_files = ["jaxcause.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False

myst_enable_extensions = ["colon_fence", "dollarmath", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

# Single backquotes in docstrings name something in jaxcause, or in the caller's own code.
default_role = "py:obj"
nitpick_ignore_regex = [
    ("py:obj", r".*"),
    # Annotations are shapes (jaxtyping), arrays of other libraries, and private aliases.
    ("py:class", r"(?!jaxcause\.).*"),
    ("py:class", r"jaxcause\.(.*\.)?_.*"),
    ("py:class", r"jaxcause\.models\.(bert|bert4rec|gpt2)\..*"),
    ("py:class", r"jaxcause\.sharding\.Tree"),
    ("py:class", r"jaxcause\.models\.forecaster\.\w+\..*"),
]
