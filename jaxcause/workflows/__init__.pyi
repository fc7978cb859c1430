# The public names, each listed once.

from jaxcause.workflows import methods as methods
from jaxcause.workflows._demo import Demo as Demo
from jaxcause.workflows._demo import run_demo as run_demo
from jaxcause.workflows._discover.auto import resolve_auto as resolve_auto
from jaxcause.workflows._discover.call import discover as discover
from jaxcause.workflows._discover.effects import Effects as Effects
from jaxcause.workflows._discover.forecaster import DiscoveryInterrupted as DiscoveryInterrupted
from jaxcause.workflows._discover.forecaster import TrainedForecaster as TrainedForecaster
from jaxcause.workflows._discover.info import DiscoveryInfo as DiscoveryInfo
from jaxcause.workflows._discover.info import Finding as Finding
from jaxcause.workflows._discover.over_time import EdgesOverTime as EdgesOverTime
from jaxcause.workflows._discover.resolution import at_resolution as at_resolution
from jaxcause.workflows._discover.respond import Response as Response
from jaxcause.workflows._discover.result import Discovery as Discovery
from jaxcause.workflows._discover.trends import without_trend as without_trend
from jaxcause.workflows._discover.write import NO_PICTURES as NO_PICTURES
from jaxcause.workflows._discover.write import write_discovery as write_discovery
from jaxcause.workflows._explain.call import explain as explain
from jaxcause.workflows._explain.result import TextExplanation as TextExplanation
from jaxcause.workflows._explain.text_model import TextModel as TextModel
from jaxcause.workflows._explain.write import write_explanation as write_explanation
from jaxcause.workflows._explain.write import write_explanations as write_explanations
