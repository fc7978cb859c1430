"""HTML pages: each is one self-contained file that loads nothing from elsewhere."""

from jaxcause.report._discovery_page import discovery_page as discovery_page
from jaxcause.report._explanation_page import explanation_page as explanation_page
from jaxcause.report._frame import notebook_frame as notebook_frame
from jaxcause.report._index import index_page as index_page
