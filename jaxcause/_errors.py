"""The error that people see; it imports nothing, so that the command line can catch it cheaply."""


class InputError(ValueError):
    """A mistake in what the caller gave; one line names it and its remedy."""
