"""The variables of xarray objects."""

import itertools
from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.series._reading.words import TIME_NAMES


def is_xarray(series: Any) -> bool:
    """Whether it is a ``DataArray`` or a ``Dataset``; xarray need not be installed to ask."""
    return hasattr(series, "dims") and hasattr(series, "coords")


def columns_of_xarray(
    series: Any, time_column: str | None
) -> tuple[dict[str, np.ndarray], str | None]:
    """Columns by name, and the name of the time among them where it has coordinates.

    A variable over further dimensions gives one column per combination of their labels, such as
    ``t2m[50.0, 10.0]``; a ``DataArray`` with a dimension beside the time is called by the labels.

    Raises:
        InputError: There is no time dimension, several could be it, or a variable lacks it.
    """
    is_set = hasattr(series, "data_vars")
    time = _time_dimension(series, time_column)
    variables = dict(series.data_vars) if is_set else {"": series}
    columns: dict[str, np.ndarray] = {}
    if time in series.coords:
        columns[time] = np.asarray(series.coords[time].values)
    for name, variable in variables.items():
        if time not in variable.dims:
            raise InputError(
                f"variable {name!r} has no dimension {time!r}; leave it out with series.drop_vars"
            )
        for label, column in _flat(str(name), variable, time):
            if label in columns:
                raise InputError(f"two variables are called {label!r}; rename one of them")
            columns[label] = column
    return columns, time if time in series.coords else None


def _flat(name: str, variable: Any, time: str) -> list[tuple[str, np.ndarray]]:
    """One column per combination of the labels of the dimensions beside the time."""
    others = [dim for dim in variable.dims if dim != time]
    values = np.asarray(variable.transpose(time, *others).values)
    if not others:
        return [(name or str(variable.name or "X0"), values)]
    labels = [
        [str(label) for label in variable.coords[dim].values]
        if dim in variable.coords
        else [f"{'' if name else 'X'}{i}" for i in range(variable.sizes[dim])]
        for dim in others
    ]
    flat = values.reshape(len(values), -1)
    called = (", ".join(parts) for parts in itertools.product(*labels))
    return [(f"{name}[{c}]" if name else c, flat[:, k]) for k, c in enumerate(called)]


def _time_dimension(series: Any, wanted: str | None) -> str:
    dims = [str(dim) for dim in series.dims]
    if wanted is not None:
        if wanted not in dims:
            raise InputError(
                f"time_column={wanted!r} is no dimension; there are {', '.join(dims) or 'none'}"
            )
        return wanted
    dated = [
        dim
        for dim in dims
        if dim in series.coords and np.issubdtype(series.coords[dim].dtype, np.datetime64)
    ]
    found = dated or [dim for dim in dims if dim.lower() in TIME_NAMES]
    if not found and len(dims) == 1:
        found = dims
    if len(found) != 1:
        raise InputError(
            f"series has the dimensions {', '.join(dims) or 'none'}; tell which is the time: "
            "time_column=…"
        )
    return found[0]
