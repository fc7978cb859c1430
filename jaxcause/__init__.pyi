# The public names, each listed once.

from jaxcause import attention as attention
from jaxcause import attribution as attribution
from jaxcause import discovery as discovery
from jaxcause import graph as graph
from jaxcause import io as io
from jaxcause import metrics as metrics
from jaxcause import models as models
from jaxcause import nn as nn
from jaxcause import plot as plot
from jaxcause import report as report
from jaxcause import series as series
from jaxcause import sharding as sharding
from jaxcause import simulate as simulate
from jaxcause import stats as stats
from jaxcause import training as training
from jaxcause import workflows as workflows
from jaxcause._errors import InputError as InputError
from jaxcause.discovery import Caps as Caps
from jaxcause.discovery import SearchResult as SearchResult
from jaxcause.discovery import fci as fci
from jaxcause.discovery import icd as icd
from jaxcause.discovery import pc as pc
from jaxcause.discovery import warmup as warmup
from jaxcause.graph import BackgroundKnowledge as BackgroundKnowledge
from jaxcause.graph import CausalGraph as CausalGraph
from jaxcause.graph import LaggedGraph as LaggedGraph
from jaxcause.graph import Mark as Mark
from jaxcause.graph import SepSets as SepSets
from jaxcause.graph import mag_oracle_test as mag_oracle_test
from jaxcause.graph import oracle_test as oracle_test
from jaxcause.stats import partial_correlation_test as partial_correlation_test
from jaxcause.stats import partial_correlation_test_from_data as partial_correlation_test_from_data
from jaxcause.stats import rank_correlation_test_from_data as rank_correlation_test_from_data
from jaxcause.workflows import Discovery as Discovery
from jaxcause.workflows import TextExplanation as TextExplanation
from jaxcause.workflows import TextModel as TextModel
from jaxcause.workflows import discover as discover
from jaxcause.workflows import explain as explain
from jaxcause.workflows import methods as methods

__version__: str
