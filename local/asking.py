"""The HTTP API as any downstream service reaches it: signed requests, under a role's rights."""

import os
from typing import Any
from urllib.parse import quote

import boto3
import httpx

from inference_results.client.access import Signature, trust


class StatusApi:
    """Asks under the rights of a profile of the AWS configuration; shows answers as they come."""

    def __init__(self, api_url: str, profile: str) -> None:
        session = boto3.Session(profile_name=profile)
        auth = Signature(session, os.environ["AWS_REGION"])
        self.http = httpx.Client(base_url=api_url, auth=auth, verify=trust(None), timeout=30)

    def get(self, inference_id: str, **query: str) -> tuple[int, dict[str, Any]]:
        """HTTP status and document: the record, or a problem."""
        path = f"inferences/{quote(inference_id, safe='')}"
        answer = self.http.get(path, params=query)
        return answer.status_code, answer.json()
