"""BERT4Rec."""

from jaxcause.models.bert4rec.modeling import BERT4RecConfig as BERT4RecConfig
