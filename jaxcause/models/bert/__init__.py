"""BERT, RoBERTa and DistilBERT."""

from jaxcause.models.bert.modeling import Encoder as Encoder
from jaxcause.models.bert.modeling import EncoderConfig as EncoderConfig
