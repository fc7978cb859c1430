"""The autoregressive Transformer that path B trains on a series."""

from jaxcause.models.forecaster.modeling import Forecaster as Forecaster
from jaxcause.models.forecaster.modeling import ForecasterConfig as ForecasterConfig
from jaxcause.models.forecaster.params import Params as Params
from jaxcause.models.forecaster.params import apply as apply
from jaxcause.models.forecaster.params import init_params as init_params
from jaxcause.models.forecaster.params import predictor as predictor
from jaxcause.models.forecaster.params import with_skip as with_skip
