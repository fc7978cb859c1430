"""Options that the searches share; `jaxcause.discovery._entry` describes them."""

from pathlib import Path
from typing import TypedDict

from jax.sharding import Mesh
from jaxtyping import Bool

from jaxcause._typing import AnyArray
from jaxcause.discovery._problem import Caps
from jaxcause.graph import BackgroundKnowledge


class SearchOptions(TypedDict, total=False):
    """Options of every search: `pc`, `fci` and `icd`."""

    max_cond_size: int | None
    node_mask: Bool[AnyArray, "*graphs nodes"] | None
    sepset: str
    caps: Caps | None
    mesh: Mesh | None
    checkpoint: str | Path | None


class PagSearchOptions(SearchOptions, total=False):
    """Options of searches whose graph is a PAG: `fci` and `icd`."""

    knowledge: BackgroundKnowledge | None
    selection_bias: bool | None
