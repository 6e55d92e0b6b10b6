"""A model of how results per second use AWS's limits, and a check of it on the local system."""
