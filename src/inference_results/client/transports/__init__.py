"""Drivers and backends: carry out steps over the HTTP API or on the table, blocking or async."""
