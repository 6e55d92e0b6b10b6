"""Get, list and wait for records, and locate outputs."""
