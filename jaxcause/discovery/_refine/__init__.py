"""Parts of `refine`."""
