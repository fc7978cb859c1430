"""The shared core: one state, one set of steps, for tokens, for variables and for lags."""

from jaxcause.discovery._host.possible_d_sep_trees import (
    possible_d_sep_distances as possible_d_sep_distances,
)
from jaxcause.discovery._pcmci.result import PcmciInfo as PcmciInfo
from jaxcause.discovery._pcmci.result import PcmciResult as PcmciResult
from jaxcause.discovery._problem import Caps as Caps
from jaxcause.discovery._result import SearchInfo as SearchInfo
from jaxcause.discovery._result import SearchResult as SearchResult
from jaxcause.discovery.fci import fci as fci
from jaxcause.discovery.icd import icd as icd
from jaxcause.discovery.pc import pc as pc
from jaxcause.discovery.pcmci import pcmci as pcmci
from jaxcause.discovery.pcmci_plus import pcmci_plus as pcmci_plus
from jaxcause.discovery.refine import Refined as Refined
from jaxcause.discovery.refine import RefineInfo as RefineInfo
from jaxcause.discovery.refine import refine as refine
from jaxcause.discovery.warmup import warmup as warmup
from jaxcause.series import LaggedCorrelation as LaggedCorrelation
from jaxcause.series import lagged_correlation as lagged_correlation
