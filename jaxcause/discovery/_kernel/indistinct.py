"""What a test knows of the nodes before it is called: which are copies of one another."""

from typing import Any

import numpy as np
from jaxtyping import Bool

from jaxcause._typing import AnyArray


def indistinct_nodes(
    test: Any, method: str = "indistinct"
) -> Bool[AnyArray, "*graphs nodes nodes"]:
    """Pairs that the test calls copies, by the method; none if it says nothing of that."""
    if hasattr(test, method):
        return getattr(test, method)()
    n = test.n_nodes
    return np.zeros((*getattr(test, "batch_shape", ()), n, n), bool)
