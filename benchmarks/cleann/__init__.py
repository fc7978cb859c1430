"""The two experiments of the CLEANN paper: explaining a sentiment, and a recommendation."""
