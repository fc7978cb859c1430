"""Variants of a supported architecture that compute something else, refused by name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxcause._checks import InputError

OWN_CODE = re.compile(r"AutoModel")
"""Keys of ``auto_map`` behind which the computation is the model's own code."""
OTHER_COMPUTATION = re.compile(
    r"(?:^|_)(?:alibi|rope|rotary|relative|adapters?|lora|experts?)(?:_|$)"
)
"""Words in the names of options that change what is computed, in no architecture here."""
FLOATS = ("float16", "bfloat16", "float32", "float64")
"""Dtypes of stored weights that mean the numbers they hold."""


def check_variant(
    architecture: str, raw: Mapping[str, Any], classes: tuple[str, ...], where: str | Path
) -> None:
    """Raise if ``config.json`` names classes, code, options or a storage that is not built here.

    Args:
        architecture: Name of the family.
        raw: The contents of ``config.json``.
        classes: Names of the family's classes in transformers, such as ``BertModel``.
        where: The file, for messages.

    Raises:
        InputError: It does.
    """
    quantised = raw.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, Mapping) else None
        raise InputError(
            f"quantization_config in {where} says that the weights are quantised"
            + (f" ({method})" if method else "")
            + "; give the folder of the model as it was before"
        )
    own = raw.get("auto_map")
    if isinstance(own, Mapping) and any(OWN_CODE.match(str(key)) for key in own):
        raise InputError(
            f"auto_map in {where} says that the model computes by code of its own, which is not "
            f"run; choose a {architecture} of transformers, or bring attention arrays"
        )
    stems = {re.split(r"For|LMHead|Model|DoubleHeads", name)[0] for name in classes}
    known = re.compile(rf"({'|'.join(sorted(stems))})(Model|LMHeadModel|DoubleHeadsModel|For\w+)")
    named = raw.get("architectures") or []
    if not isinstance(named, list):
        raise InputError(f"architectures={named!r} in {where} must be a list of names")
    for name in named:
        if str(name) not in classes and not known.fullmatch(str(name)):
            raise InputError(
                f"architectures={name!r} in {where} is no {architecture} of transformers, whatever "
                "its model_type; bring attention arrays from any framework"
            )
    for name, value in raw.items():
        if OTHER_COMPUTATION.search(name) and value and value != "absolute":
            raise InputError(
                f"{name}={str(value)[:40]!r} in {where} changes what the model computes, which is "
                "not supported; choose a model without it (adapters can be merged into the weights)"
            )


def check_floats(weights: Mapping[str, np.ndarray], where: str) -> None:
    """Raise if a weight holds anything but floating-point numbers.

    Integers and 8-bit floats are codes whose scale is stored elsewhere.

    Raises:
        InputError: It names the first such weight, its dtype, and how many more there are.
    """
    coded = [name for name in sorted(weights) if weights[name].dtype.name not in FLOATS]
    if coded:
        raise coded_weights(coded, weights[coded[0]].dtype.name, where)


def coded_weights(names: list[str], dtype: str, where: str | Path) -> InputError:
    """The error for weights that are no plain floating-point numbers."""
    more = f" ({len(names) - 1} more are like it)" if len(names) > 1 else ""
    return InputError(
        f"the weight {names[0]} in {where} holds {dtype}{more}: codes of quantised numbers, which "
        "are not read; give the model before quantisation, in float32, float16 or bfloat16"
    )
