"""What a search is given: a test, or data, which are tested by partial correlations."""

from typing import Any

import numpy as np
from jax import Array

from jaxcause._checks import InputError, is_concrete
from jaxcause._typing import AnyArray, CITest
from jaxcause.stats import partial_correlation_test_from_data

Given = CITest | AnyArray | Any
"""A test, or data with samples in rows: an array, or a data frame of numbers."""


def as_test(given: Any) -> CITest:
    """The test, or that of partial correlation (Fisher's z) on the data.

    Raises:
        InputError: An array is not one of data: it has one axis, no numbers, or is a correlation
            matrix; or see `jaxcause.stats.partial_correlation_test_from_data`.
    """
    is_array = isinstance(given, Array | np.ndarray)
    if not is_array and not hasattr(given, "to_numpy"):
        return given
    data = given if is_array else given.to_numpy()
    if data.dtype.kind in "biu":
        data = data.astype(np.float64)
    if data.dtype.kind != "f":
        raise InputError(
            f"test holds {data.dtype} values, not numbers; leave text columns out, or pass a test"
        )
    if data.ndim < 2:
        raise InputError(
            f"test is an array of shape {data.shape}; give data [samples, variables], or a test "
            "such as jc.partial_correlation_test(corr, n_samples)"
        )
    if is_concrete(data) and _is_correlation(np.asarray(data)):
        raise InputError(
            "test looks like a correlation matrix; write "
            "jc.partial_correlation_test(corr, n_samples), which needs the number of samples"
        )
    try:
        return partial_correlation_test_from_data(data)
    except InputError as error:
        raise InputError(
            f"the data given as test cannot be correlated: {error}; "
            "jc.partial_correlation_test_from_data(x, …) has these options"
        ) from None


def _is_correlation(values: np.ndarray) -> bool:
    """Whether a square matrix is symmetric with ones on its diagonal."""
    if values.shape[-1] != values.shape[-2] or not values.shape[-1]:
        return False
    ones = np.diagonal(values, axis1=-2, axis2=-1)
    return bool(
        np.allclose(ones, 1.0, atol=1e-4)
        and np.allclose(values, np.swapaxes(values, -1, -2), atol=1e-4, equal_nan=True)
    )
