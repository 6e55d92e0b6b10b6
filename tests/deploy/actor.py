"""Does the deeds of tests/deploy/deeds.py as a role, and tells which were allowed."""

import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.exceptions import ClientError

from inference_results.client.transports.auth import Signature
from inference_results.contract import StackOutput
from local.deployment import ANSWERING_POLICY
from local.environment import ACCOUNT, REGION
from tests.deploy.permission_matrix import Call, Deed, Request, Simulated

DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
ANYTHING = '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


class Account:
    """Makes some hundred clients cheaply: from one session, trusting one certificate."""

    def __init__(self, certificate: Path, places: Mapping[str, str]) -> None:
        self.places = places
        self.certificate = str(certificate)
        self._session = boto3.Session()
        self.iam = self.client("iam")
        self._sts = self.client("sts")

    def client(self, service: str, **credentials: str) -> Any:
        return self._session.client(service, verify=self.certificate, **credentials)

    def session(self, role_name: str) -> boto3.Session:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role_name}"
        found = self._sts.assume_role(RoleArn=arn, RoleSessionName="deeds")["Credentials"]
        return boto3.Session(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def policies(self, role_name: str) -> list[str]:
        names = self.iam.list_role_policies(RoleName=role_name)["PolicyNames"]
        return [
            json.dumps(got["PolicyDocument"])
            for name in names
            if name != ANSWERING_POLICY  # the local account's, not the stack's
            for got in [self.iam.get_role_policy(RoleName=role_name, PolicyName=name)]
        ]


class Actor:
    """Does deeds as a role, or as the account's root."""

    def __init__(self, account: Account, role_name: str | None) -> None:
        self._account = account
        session = account.session(role_name) if role_name else boto3.Session()
        self._policies = account.policies(role_name) if role_name else [ANYTHING]
        credentials = session.get_credentials().get_frozen_credentials()
        self._credentials = {
            "aws_access_key_id": credentials.access_key,
            "aws_secret_access_key": credentials.secret_key,
            "aws_session_token": credentials.token,
        }
        self._clients: dict[str, Any] = {}
        self._http = httpx.Client(
            base_url=account.places[StackOutput.API_URL],
            auth=Signature(session, REGION),
            verify=ssl.create_default_context(cafile=account.certificate),
        )

    def may(self, deed: Deed) -> bool:
        match deed:
            case Call():
                return self._calls(deed)
            case Request():
                answer = self._http.request(deed.method, deed.path, json=deed.content)
                assert answer.status_code < 500, answer.text
                return answer.status_code != 403
            case Simulated():
                simulated = self._account.iam.simulate_custom_policy(
                    PolicyInputList=self._policies,
                    ActionNames=[deed.action],
                    ResourceArns=[filled(deed.resource, self._account.places)],
                )
                return simulated["EvaluationResults"][0]["EvalDecision"] == "allowed"

    def _calls(self, deed: Call) -> bool:
        if deed.service not in self._clients:
            self._clients[deed.service] = self._account.client(deed.service, **self._credentials)
        operation = getattr(self._clients[deed.service], deed.operation)
        try:
            operation(**filled(deed.parameters, self._account.places))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in DENIED | {deed.harmless}:
                raise
            return code not in DENIED
        return True

    def close(self) -> None:
        self._http.close()


def filled(template: Any, places: Mapping[str, str]) -> Any:
    """With the names of places in braces replaced."""
    match template:
        case str():
            return template.format_map(places)
        case Mapping():
            return {filled(name, places): filled(each, places) for name, each in template.items()}
        case list():
            return [filled(each, places) for each in template]
    return template
