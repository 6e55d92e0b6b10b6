"""What is assumed of AWS, as no account was measured."""

from typing import Final

S3_MS: Final = 25
DYNAMODB_MS: Final = 8
"""Until a call is answered, in the mean."""

MEGABYTES_OF_A_PROCESSOR: Final = 1769
"""Of a function: with less, it has that part of a processor.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
