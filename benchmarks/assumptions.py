"""Assumptions about AWS. Nothing was measured on a real account."""

from typing import Final

S3_MS: Final = 25
"""Mean latency of a GET."""
DYNAMODB_MS: Final = 8
"""Mean latency of a call."""

MB_PER_CPU: Final = 1769
"""A function with less memory gets that share of a CPU.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
