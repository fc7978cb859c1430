"""How tests compile their programs: quickly, since most of them run once.

To optimise them takes half of the time of all tests. The examples, what runs on several devices,
and everything where ``JAXCAUSE_TEST_OPTIMIZED=1``, compile as users do.
"""

import os
from importlib.metadata import version

# Two workers share two cores; threads of matrix products would only wait for one another.
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
QUICKLY = "--xla_cpu_use_fusion_emitters=false --xla_llvm_force_inline_before_split=false"

# For a process of its own that compiles as a user's does. Only then are results on several devices
# those of one bit for bit: without optimisation, how often a loop is unrolled decides the last bit.
AS_USERS_DO = {"XLA_FLAGS": "", "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}


def settings() -> dict[str, str]:
    """Variables of the environment that JAX reads when it is imported."""
    if os.environ.get("JAXCAUSE_TEST_OPTIMIZED", "0") == "1":
        return {"XLA_FLAGS": ONE_THREAD}
    # XLA ends a process that passes a flag it does not know: these are for the version tried.
    flags = f"{ONE_THREAD} {QUICKLY}" if version("jaxlib").startswith("0.10.") else ONE_THREAD
    return {"XLA_FLAGS": flags, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
