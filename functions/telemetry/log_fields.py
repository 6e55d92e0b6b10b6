"""What logs may tell: which inference a line is about, and why something failed without its text.

Payloads, custom attributes and what a caller said stay out of logs, and texts of errors that are
not this package's may quote them.
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

_SUBJECT: Final = (INFERENCE_ID, ENDPOINT)


class UnexpectedError(Exception):
    """Stands for an error that the log has error_fields: Lambda logs the text of what is raised."""


def inference_fields(inference_id: Any, endpoint: Any) -> dict[str, str]:
    """`inference_id` and `endpoint` for a line of a log, each only if it is valid."""
    named = zip(_SUBJECT, (inference_id, endpoint), strict=True)
    return {parameter.name: value for parameter, value in named if parameter.accepts(value)}


def error_fields(error: BaseException) -> dict[str, Any]:
    """Our own errors explain themselves; of others only the kind and the place are told."""
    told: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, InferenceResultsError):
        return told | {"reason": str(error)}
    if isinstance(error, ClientError):
        told |= {"code": error.response["Error"]["Code"], "operation": error.operation_name}
    frames = traceback.extract_tb(error.__traceback__)
    return told | {"stack": [f"{each.filename}:{each.lineno} {each.name}" for each in frames]}


def hide_error_texts(logger: Logger) -> Callable[[Handler], Handler]:
    """Let a handler fail with nothing that somebody else's text may hold."""

    def guard(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def guarded(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            try:
                return handler(event, context)
            except InferenceResultsError:
                raise
            # Whatever it is: it goes on as a failure, and only its text is kept back.
            except Exception as error:
                logger.error("failed", extra=error_fields(error))
                raise UnexpectedError(type(error).__name__) from None

        return guarded

    return guard
