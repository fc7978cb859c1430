"""Versions in a source tree that is not installed."""

from importlib.metadata import PackageNotFoundError

import numpy as np

import jaxcause as jc
from jaxcause import _version
from jaxcause._version import version_of


def test_a_source_tree_that_is_not_installed_works(monkeypatch):
    def missing(package):
        raise PackageNotFoundError(package)

    assert "+source" not in version_of("numpy")
    monkeypatch.setattr(_version, "version", missing)
    assert jc.__version__.endswith("+source")
    assert version_of("numpy") == "unknown"
    x = np.random.default_rng(0).normal(size=(60, 2))
    found = jc.discover(x, 1, method="var", progress=False)
    assert found.info.provenance["jaxcause"].endswith("+source")
    assert "jaxcause" in found.to_html()


def test_a_version_that_cannot_be_read_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(_version, "__file__", str(tmp_path / "jaxcause" / "_version.py"))
    assert _version._of_source() == "unknown"
    (tmp_path / "pyproject.toml").write_text("[project\n")
    assert _version._of_source() == "unknown"
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "1"\n')
    assert _version._of_source() == "unknown"
