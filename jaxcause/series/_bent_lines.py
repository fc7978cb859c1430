"""Functions of one variable by which a regression bends."""

import numpy as np
from jaxtyping import Float


def bent_lines(
    inputs: Float[np.ndarray, "*rows inputs"],
) -> Float[np.ndarray, "*rows terms"]:
    r"""Each standardised input as four terms: :math:`x, |x|, (x-1)_+, (-x-1)_+`.

    Their linear combinations are the continuous functions that are straight between −1, 0 and 1,
    which come near to most functions of one variable.

    >>> bent_lines(np.array([[-2.0], [0.5]])).tolist()
    [[-2.0, 2.0, 0.0, 1.0], [0.5, 0.5, 0.0, 0.0]]
    """
    x = inputs
    terms = [x, np.abs(x), np.maximum(x - 1, 0.0), np.maximum(-x - 1, 0.0)]
    return np.stack(terms, axis=-1).reshape(*x.shape[:-1], -1)
