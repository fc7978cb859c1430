"""Options that several public functions share: described once, and shown by each of them."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def shows_options(options: type, of: Callable[..., Any]) -> Callable[[Function], Function]:
    """Show each of the options that a function takes as ``**options: Unpack[Options]``.

    Type checkers read the keys of ``Options``. ``help``, the documentation and notebooks read the
    signature and the docstring of the function, which this decorator completes. An unknown option
    is an error that names the function that was called, and lists what it takes.

    Args:
        options: A `typing.TypedDict`: names and types of the options.
        of: The function to which they are passed, with their defaults and descriptions.
    """
    names = list(options.__annotations__)
    parameters = inspect.signature(of).parameters
    shared = [parameters[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in names]
    entries = _described(inspect.cleandoc(of.__doc__ or ""))
    described = "\n".join(entries[name] for name in names)

    def decorate(function: Function) -> Function:
        own = inspect.signature(function)
        listed = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        signature = own.replace(parameters=[*listed, *shared])

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            for name in kwargs:
                if name not in signature.parameters:
                    known = ", ".join(signature.parameters)
                    raise TypeError(f"{function.__name__}() has no argument {name}; it has {known}")
            return function(*args, **kwargs)

        doc = inspect.cleandoc(function.__doc__ or "")
        args = doc.split("Args:\n")[1].split("\n\n")[0]
        checked.__doc__ = doc.replace(args, f"{args}\n{described}", 1)
        checked.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue]
        return checked  # pyright: ignore[reportReturnType]

    return decorate


def _described(doc: str) -> dict[str, str]:
    """The entry of each argument in the section ``Args:`` of a clean docstring."""
    args = doc.split("Args:\n")[1].split("\n\n")[0]
    entries = re.split(r"\n(?=    \w)", args)
    return {entry.split(":", 1)[0].strip(): entry for entry in entries}
