"""The one-call entry points."""

from jaxcause._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
