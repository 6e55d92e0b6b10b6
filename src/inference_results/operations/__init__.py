"""Operate a deployment: check it, repair it, and attach endpoints to it."""
