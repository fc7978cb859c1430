"""The methods of `discover`: one frozen dataclass each, whose fields are exactly its options."""

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from jaxcause._checks import check_choice
from jaxcause._errors import InputError
from jaxcause.workflows._discover.methods._devices import SharedMethod as SharedMethod
from jaxcause.workflows._discover.methods._holes import HoledMethod as HoledMethod
from jaxcause.workflows._discover.methods._links import LinkMethod as LinkMethod
from jaxcause.workflows._discover.methods._method import ConditioningSize as ConditioningSize
from jaxcause.workflows._discover.methods._method import Count as Count
from jaxcause.workflows._discover.methods._method import Method as Method
from jaxcause.workflows._discover.methods._method import Option as Option
from jaxcause.workflows._discover.methods._method import Probability as Probability
from jaxcause.workflows._discover.methods._method import TransformName as TransformName
from jaxcause.workflows._discover.methods.gradient import Gradient as Gradient
from jaxcause.workflows._discover.methods.lasso import Lasso as Lasso
from jaxcause.workflows._discover.methods.pc import PC as PC
from jaxcause.workflows._discover.methods.pcmci import PCMCI as PCMCI
from jaxcause.workflows._discover.methods.pcmci_plus import PCMCIPlus as PCMCIPlus
from jaxcause.workflows._discover.methods.var import VAR as VAR

M = TypeVar("M", bound=type[Method])

_REGISTERED: dict[str, type[Method]] = {}


def register(method: M) -> M:
    """Make a class known to ``discover(method="its name")`` and to the command line.

    Args:
        method: A frozen dataclass that inherits from `Method` and has a ``name`` of its own.

    Raises:
        InputError: Another method has its name.

    >>> import dataclasses
    >>> @dataclasses.dataclass(frozen=True)
    ... class Mine(VAR):
    ...     name = "mine"
    >>> register(Mine).name in registered()
    True
    >>> _ = _REGISTERED.pop("mine")
    """
    known = _REGISTERED.setdefault(method.name, method)
    if known is not method and known.__qualname__ != method.__qualname__:
        raise InputError(f"a method named {method.name!r} exists; give yours another name")
    _REGISTERED[method.name] = method
    return method


def registered() -> Mapping[str, type[Method]]:
    """All methods by name, in alphabetical order."""
    return {name: _REGISTERED[name] for name in sorted(_REGISTERED)}


def method_named(name: str, options: Mapping[str, Any]) -> Method:
    """The method of a name with some of its options.

    Raises:
        InputError: There is no such method, it does not have an option, or a value is not allowed.

    >>> method_named("var", {"q": 0.05}).q
    0.05
    """
    check_choice("method", name, ("auto", *registered()))
    method = _REGISTERED[name]
    check_options(name, options)
    return method(**options)


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise unless the method of a name has all the options."""
    known = [option.name for option in _REGISTERED[name].options()]
    for given in options:
        if given not in known:
            others = methods_with(given)
            near = difflib.get_close_matches(given, known, n=1)
            remedy = (
                f"it is one of method={' and '.join(map(repr, others))}"
                if others
                else f"did you mean {near[0]}?"
                if near
                else "leave it out"
            )
            raise InputError(
                f"{given} is not an option of method={name!r}, whose options are "
                f"{', '.join(known)}; {remedy}"
            )


def methods_with(option: str) -> tuple[str, ...]:
    """The names of the methods that have an option."""
    return tuple(
        name
        for name, method in registered().items()
        if any(one.name == option for one in method.options())
    )


for _method in (Gradient, Lasso, PC, PCMCI, PCMCIPlus, VAR):
    register(_method)
