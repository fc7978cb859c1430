"""The search whose levels are decided on the host."""
