"""What functions log: which inference a line is about, and why something failed.

Payloads, CustomAttributes and texts from callers never reach a log. Error texts of other libraries
can quote them, so only the type and place of such errors are logged.
"""

import functools
import traceback
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from inference_results.domain.record.errors import InferenceResultsError
from inference_results.domain.record.parameters import ENDPOINT, INFERENCE_ID

Handler: TypeAlias = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]

_FIELDS: Final = (INFERENCE_ID, ENDPOINT)


class UnexpectedError(Exception):
    """Replaces an error that was logged without its text: Lambda logs the text of exceptions."""


def inference_fields(inference_id: Any, endpoint: Any) -> dict[str, str]:
    """`inference_id` and `endpoint`, each only if it is valid."""
    values = zip(_FIELDS, (inference_id, endpoint), strict=True)
    return {parameter.name: value for parameter, value in values if parameter.accepts(value)}


def error_fields(error: BaseException) -> dict[str, Any]:
    """Type and reason of this package's errors; type, code and stack of others."""
    fields: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, InferenceResultsError):
        return fields | {"reason": str(error)}
    if isinstance(error, ClientError):
        fields |= {"code": error.response["Error"]["Code"], "operation": error.operation_name}
    frames = traceback.extract_tb(error.__traceback__)
    return fields | {"stack": [f"{each.filename}:{each.lineno} {each.name}" for each in frames]}


def hide_error_texts(logger: Logger) -> Callable[[Handler], Handler]:
    """Decorate a handler: unexpected errors are logged and raised without their text."""

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def guarded(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            try:
                return handler(event, context)
            except InferenceResultsError:
                raise
            # Not swallowed: the function still fails, only the text is withheld.
            except Exception as error:
                logger.error("unexpected error", extra=error_fields(error))
                raise UnexpectedError(type(error).__name__) from None

        return guarded

    return decorate
