"""The HTTP API as any downstream service reaches it: signed requests, under a role's rights."""

import os
from typing import Any
from urllib.parse import quote, urlencode

import boto3
import httpx

from inference_results.client.transports.auth import Signature, tls_context


class StatusApi:
    """Asks under the rights of a profile of the AWS configuration; shows answers as they come."""

    def __init__(self, api_url: str, profile: str) -> None:
        session = boto3.Session(profile_name=profile)
        auth = Signature(session, os.environ["AWS_REGION"])
        self._http = httpx.Client(base_url=api_url, auth=auth, verify=tls_context(None), timeout=30)

    def ask(self, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        """`query` among the options is encoded as signing wants it; the rest are httpx's own."""
        query = urlencode(options.pop("query", {}), quote_via=quote, safe="")
        return self._http.request(method, f"{path}?{query}" if query else path, **options)

    def get(self, inference_id: str, **query: str) -> tuple[int, dict[str, Any]]:
        """HTTP status and document: the record, or a problem."""
        answer = self.ask(f"inferences/{quote(inference_id, safe='')}", query=query)
        return answer.status_code, answer.json()

    def close(self) -> None:
        self._http.close()
