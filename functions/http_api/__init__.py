"""Routes, parameters and problem documents of the HTTP API."""
