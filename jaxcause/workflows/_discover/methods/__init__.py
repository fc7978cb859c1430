"""The methods of `discover`."""
