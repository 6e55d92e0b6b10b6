"""Parse a request to submit an inference."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.parameters import (
    ACCEPT,
    ENDPOINT,
    IDEMPOTENCY_KEY,
    INPUT,
    SUBMISSION,
)
from inference_results.domain.submissions.invocation import InvocationDetails
from inference_results.domain.submissions.submission import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionRequest:
    """A valid request.

    The input is in `body`, or at the `input_location` of `details`. `upload` is the content that
    has to be stored there first, if any. `digest` is that of everything that the model receives,
    except custom attributes: requests with the same key must have the same one.
    """

    details: InvocationDetails
    accept: str | None
    digest: str
    body: bytes | None = field(default=None, repr=False)
    upload: bytes | None = field(default=None, repr=False)

    @property
    def first_stage(self) -> Stage:
        return Stage.INVOKING if self.upload is None else Stage.PREPARING


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseSubmission:
    """Parses requests.

    `endpoint_names`: the endpoints that callers can invoke; None for any.
    `input_prefix`: `s3://bucket/prefix/` for inputs of more than `max_body_bytes`.
    `completes_tasks`: whether the service completes Step Functions tasks.
    """

    endpoint_names: frozenset[str] | None
    input_prefix: str | None
    max_body_bytes: int
    completes_tasks: bool

    def __call__(self, parameters: Mapping[str, Any], content: bytes | None) -> SubmissionRequest:
        """SUBMISSION checks `parameters`. `content` is the input itself, if any.

        Raises InvalidParameter.
        """
        checked = SUBMISSION.check(parameters)
        endpoint_name = checked[ENDPOINT.name]
        if self.endpoint_names is not None and endpoint_name not in self.endpoint_names:
            raise InvalidParameter(ENDPOINT.name, "one of the stack's submit_endpoints")
        inference_id = inference_id_for(endpoint_name, checked[IDEMPOTENCY_KEY.name])
        details = InvocationDetails.from_parameters(inference_id, checked)
        details.check_task_token(completes_tasks=self.completes_tasks)
        if (content is None) == (details.input_location is None):
            raise InvalidParameter(INPUT, "either an input or an input_location")
        accept = checked.get(ACCEPT.name)
        digest = _digest(details, accept, content)
        if content is None or 0 < len(content) <= self.max_body_bytes:
            return SubmissionRequest(details=details, accept=accept, digest=digest, body=content)
        located = replace(details, input_location=self._upload_location(inference_id, digest))
        return SubmissionRequest(details=located, accept=accept, digest=digest, upload=content)

    def _upload_location(self, inference_id: str, digest: str) -> str:
        """Includes the digest: a late upload of another input cannot overwrite this one."""
        if self.input_prefix is None:
            raise InvalidParameter(
                INPUT, f"1 to {self.max_body_bytes} bytes: pass other inputs by input_location"
            )
        return f"{self.input_prefix}{inference_id}/{digest}"


def inference_id_for(endpoint_name: str, idempotency_key: str) -> str:
    """Derive the inference id from an endpoint and a key. It is unique to them."""
    both = json.dumps([endpoint_name, idempotency_key])
    return "key-" + hashlib.sha256(both.encode()).hexdigest()[:40]


def _digest(details: InvocationDetails, accept: str | None, content: bytes | None) -> str:
    content_digest = None if content is None else hashlib.sha256(content).hexdigest()
    parts = json.dumps([content_digest, details.input_location, details.content_type, accept])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]
