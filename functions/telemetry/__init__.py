"""Metrics and log fields."""
