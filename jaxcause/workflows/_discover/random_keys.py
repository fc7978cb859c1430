"""Random keys on the host, where nothing compiles."""

import jax
import numpy as np
from jaxtyping import PRNGKeyArray


def default_key() -> PRNGKeyArray:
    """``jax.random.key(0)``, which would compile.

    >>> words_of(default_key()) == words_of(jax.random.key(0))
    True
    """
    return jax.random.wrap_key_data(jax.device_put(np.zeros(2, np.uint32)), impl="threefry2x32")


def words_of(key: PRNGKeyArray) -> tuple[int, ...]:
    """The words of a random key, from which the host draws numbers without compiling anything."""
    return tuple(int(word) for word in np.ravel(jax.random.key_data(key)))


def keys_from(key: PRNGKeyArray, n_keys: int) -> list[PRNGKeyArray]:
    """Independent keys from one, without compiling anything.

    >>> len({words_of(key) for key in keys_from(jax.random.key(0), 5)})
    5
    """
    words, impl = words_of(key), jax.random.key_impl(key)
    drawn = [
        np.random.SeedSequence((*words, number)).generate_state(len(words))
        for number in range(n_keys)
    ]
    return [jax.random.wrap_key_data(jax.device_put(new), impl=impl) for new in drawn]
