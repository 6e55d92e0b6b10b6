"""Counts and latencies of results, by endpoint and day."""
