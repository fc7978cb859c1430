"""Versions of installed packages, and of this one in a source tree that is not installed."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def version_of(package: str) -> str:
    """The version of an installed package.

    Of jaxcause in a source tree that is not installed, it is the version there with ``+source``; of
    another package that has no version, ``"unknown"``.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return _of_source() if package == "jaxcause" else "unknown"


def _of_source() -> str:
    import tomllib

    try:
        text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text).get("project", {})
    except (OSError, ValueError):
        return "unknown"
    return f"{project['version']}+source" if project.get("name") == "jaxcause" else "unknown"
