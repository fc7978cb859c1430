"""The one way in which the library makes a noun: a frozen dataclass that is a JAX pytree."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

import jax

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def pytree_dataclass(*, static: tuple[str, ...] = ()) -> Callable[[type[T]], type[T]]:
    """Make a class a frozen dataclass whose fields are pytree children.

    ``__post_init__`` validates what a person constructs. Unflattening bypasses it, so ``vmap``,
    ``tree.map`` and transformations may put batched arrays, tracers or sentinels into the fields.

    Args:
        static: Names of the fields that belong to the tree's structure instead of its leaves.
    """

    def decorate(cls: type[T]) -> type[T]:
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = _short  # pyright: ignore[reportAttributeAccessIssue]
        frozen = dataclasses.dataclass(frozen=True, eq=False)(cls)
        names = [field.name for field in dataclasses.fields(frozen)]  # pyright: ignore[reportArgumentType]
        children = tuple(name for name in names if name not in static)

        def flatten(node: Any) -> tuple[tuple[tuple[Any, Any], ...], tuple[Any, ...]]:
            leaves = tuple((jax.tree_util.GetAttrKey(n), getattr(node, n)) for n in children)
            return leaves, tuple(getattr(node, n) for n in static)

        def unflatten(aux: tuple[Any, ...], leaves: Any) -> Any:
            node = object.__new__(frozen)
            for name, value in (
                *zip(children, leaves, strict=True),
                *zip(static, aux, strict=True),
            ):
                object.__setattr__(node, name, value)
            return node

        jax.tree_util.register_pytree_with_keys(frozen, flatten, unflatten)
        return frozen

    return decorate


def _short(node: Any) -> str:
    """A node in a line: arrays by their type and shape, numbers and the rest as they are."""
    fields = (f"{f.name}={_said(getattr(node, f.name))}" for f in dataclasses.fields(node))
    return f"{type(node).__name__}({', '.join(fields)})"


def _said(value: Any) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape and dtype is not None:
        return f"{dtype}[{', '.join(map(str, shape))}]"
    return repr(value) if dtype is None else str(value)


def set_field(node: Any, name: str, value: Any) -> None:
    """Normalise a field of a frozen node from within its own ``__post_init__``."""
    object.__setattr__(node, name, value)
