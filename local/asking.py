"""Signed questions to the HTTP API, as any downstream service would send them."""

import os
from typing import Any
from urllib.parse import quote

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest


class StatusApi:
    """Asks under the rights of a profile of the AWS configuration."""

    def __init__(self, api_url: str, profile: str) -> None:
        self._api_url = api_url
        session = boto3.Session(profile_name=profile)
        credentials = session.get_credentials()
        assert credentials
        self._signer = SigV4Auth(credentials, "execute-api", session.region_name)

    def get(self, inference_id: str, **query: str) -> tuple[int, dict[str, Any]]:
        """HTTP status and document: the record, or a problem."""
        url = f"{self._api_url}/inferences/{quote(inference_id, safe='')}"
        request = AWSRequest("GET", url, params=query)
        self._signer.add_auth(request)
        answer = requests.get(
            request.prepare().url,
            headers=dict(request.headers.items()),
            verify=os.environ["AWS_CA_BUNDLE"],
            timeout=30,
        )
        return answer.status_code, answer.json()
