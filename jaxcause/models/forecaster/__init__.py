"""The autoregressive Transformers that path B trains on a series."""

from jaxcause.models.forecaster._parts import Forecast as Forecast
from jaxcause.models.forecaster.config import PRESETS as PRESETS
from jaxcause.models.forecaster.config import ForecasterConfig as ForecasterConfig
from jaxcause.models.forecaster.content import ContentForecaster as ContentForecaster
from jaxcause.models.forecaster.derivatives import Mixtures as Mixtures
from jaxcause.models.forecaster.params import Params as Params
from jaxcause.models.forecaster.params import attention as attention
from jaxcause.models.forecaster.params import changed_inputs as changed_inputs
from jaxcause.models.forecaster.params import density_predictor as density_predictor
from jaxcause.models.forecaster.params import forward as forward
from jaxcause.models.forecaster.params import init_params as init_params
from jaxcause.models.forecaster.params import mixtures as mixtures
from jaxcause.models.forecaster.params import positional_attention as positional_attention
from jaxcause.models.forecaster.params import predictor as predictor
from jaxcause.models.forecaster.params import screened_of as screened_of
from jaxcause.models.forecaster.params import with_allowed as with_allowed
from jaxcause.models.forecaster.params import with_screened as with_screened
from jaxcause.models.forecaster.params import with_skip as with_skip
from jaxcause.models.forecaster.positional import PositionalForecaster as PositionalForecaster
