"""The shared core: one state, one set of steps, for tokens, for variables and for lags."""

from jaxcause.discovery._fci import fci as fci
from jaxcause.discovery._icd import icd as icd
from jaxcause.discovery._pc import pc as pc
from jaxcause.discovery._pcmci import pcmci as pcmci
from jaxcause.discovery._pcmci_data import LaggedCorrelation as LaggedCorrelation
from jaxcause.discovery._pcmci_data import lagged_correlation as lagged_correlation
from jaxcause.discovery._pcmci_links import PcmciInfo as PcmciInfo
from jaxcause.discovery._pcmci_links import PcmciResult as PcmciResult
from jaxcause.discovery._pcmci_plus import pcmci_plus as pcmci_plus
from jaxcause.discovery._result import SearchInfo as SearchInfo
from jaxcause.discovery._result import SearchResult as SearchResult
from jaxcause.discovery._static import Caps as Caps
from jaxcause.discovery._warmup import warmup as warmup
