"""Sends signed requests to the HTTP API with a role's permissions."""

import os
from typing import Any
from urllib.parse import quote, urlencode

import boto3
import httpx

from inference_results.client.transports.auth import Signature, tls_context


class ApiClient:
    """Calls the API with a profile of the AWS configuration, and returns responses unprocessed."""

    def __init__(self, api_url: str, profile: str) -> None:
        session = boto3.Session(profile_name=profile)
        auth = Signature(session, os.environ["AWS_REGION"])
        self._http = httpx.Client(base_url=api_url, auth=auth, verify=tls_context(None), timeout=30)

    def request(self, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        """Send a request. The option `query` is encoded for signing; the others are httpx's."""
        query = urlencode(options.pop("query", {}), quote_via=quote, safe="")
        return self._http.request(method, f"{path}?{query}" if query else path, **options)

    def get(self, inference_id: str, **query: str) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status, and the record or problem document."""
        response = self.request(f"inferences/{quote(inference_id, safe='')}", query=query)
        return response.status_code, response.json()

    def close(self) -> None:
        self._http.close()
