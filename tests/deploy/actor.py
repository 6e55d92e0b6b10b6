"""Performs the actions of the permission matrix as a role, and reports which were allowed."""

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
from local.deployment import TASK_POLICY
from local.environment import ACCOUNT, REGION
from tests.deploy.permission_matrix import Action, Call, Request, Simulated

DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
ALLOW_ALL = '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


class Account:
    """Creates hundreds of clients cheaply: from one session, with one trusted certificate."""

    def __init__(self, certificate: Path, names: Mapping[str, str]) -> None:
        self.names = names
        self.certificate = str(certificate)
        self._session = boto3.Session()
        self.iam = self.client("iam")
        self._sts = self.client("sts")

    def client(self, service: str, **credentials: str) -> Any:
        return self._session.client(service, verify=self.certificate, **credentials)

    def session(self, role_name: str) -> boto3.Session:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role_name}"
        found = self._sts.assume_role(RoleArn=arn, RoleSessionName="actor")["Credentials"]
        return boto3.Session(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def policies(self, role_name: str) -> list[str]:
        names = self.iam.list_role_policies(RoleName=role_name)["PolicyNames"]
        return [
            json.dumps(found["PolicyDocument"])
            for name in names
            if name != TASK_POLICY  # added by the local system, not by the stack
            for found in [self.iam.get_role_policy(RoleName=role_name, PolicyName=name)]
        ]


class Actor:
    """Performs actions as a role, or as the account's root user."""

    def __init__(self, account: Account, role_name: str | None) -> None:
        self._account = account
        session = account.session(role_name) if role_name else boto3.Session()
        self._policies = account.policies(role_name) if role_name else [ALLOW_ALL]
        credentials = session.get_credentials().get_frozen_credentials()
        self._credentials = {
            "aws_access_key_id": credentials.access_key,
            "aws_secret_access_key": credentials.secret_key,
            "aws_session_token": credentials.token,
        }
        self._clients: dict[str, Any] = {}
        self._http = httpx.Client(
            base_url=account.names[StackOutput.API_URL],
            auth=Signature(session, REGION),
            verify=ssl.create_default_context(cafile=account.certificate),
        )

    def is_allowed(self, action: Action) -> bool:
        match action:
            case Call():
                return self._call(action)
            case Request():
                response = self._http.request(action.method, action.path, json=action.content)
                assert response.status_code < 500, response.text
                return response.status_code != 403
            case Simulated():
                simulated = self._account.iam.simulate_custom_policy(
                    PolicyInputList=self._policies,
                    ActionNames=[action.iam_action],
                    ResourceArns=[fill_in(action.resource, self._account.names)],
                )
                return simulated["EvaluationResults"][0]["EvalDecision"] == "allowed"

    def _call(self, call: Call) -> bool:
        if call.service not in self._clients:
            self._clients[call.service] = self._account.client(call.service, **self._credentials)
        operation = getattr(self._clients[call.service], call.operation)
        try:
            operation(**fill_in(call.parameters, self._account.names))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in DENIED | {call.harmless_error}:
                raise
            return code not in DENIED
        return True

    def close(self) -> None:
        self._http.close()


def fill_in(template: Any, names: Mapping[str, str]) -> Any:
    """Replace names in braces, also within mappings and lists."""
    match template:
        case str():
            return template.format_map(names)
        case Mapping():
            return {fill_in(key, names): fill_in(each, names) for key, each in template.items()}
        case list():
            return [fill_in(each, names) for each in template]
    return template
