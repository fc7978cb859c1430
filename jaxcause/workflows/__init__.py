"""The one-call entry points; the stub ``__init__.pyi`` lists their names."""

from jaxcause._lazy import attach

__getattr__, __dir__ = attach(__name__, __file__)
