"""Callers with JWTs, through an API with a JWT authorizer in front of the deployed function.

`jwt_issuer` requires an https issuer, which is not available here; tests of the template check what
the stack creates.
"""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from inference_results.client import Client, NotAuthorized, NotFound
from inference_results.client.transports.auth import tls_context
from inference_results.contract import Route, StackOutput
from local.environment import ACCOUNT, REGION

AUDIENCE = "inference-results"


def encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Issuer:
    """A minimal OpenID provider with one key, which issues tokens."""

    def __init__(self):
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def token(self, *, audience=AUDIENCE, expires_in=600):
        now = int(time.time())
        claims = {"iss": self.url, "aud": audience, "iat": now, "exp": now + expires_in}
        header = {"alg": "RS256", "kid": "one"}
        signed = ".".join(encoded(json.dumps(each).encode()) for each in (header, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{encoded(signature)}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def _handler(self):
        public = self._key.public_key().public_numbers()
        numbers = {"n": public.n, "e": public.e}
        key = {
            name: encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))
            for name, number in numbers.items()
        }
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802 - the name that http.server looks for
                documents = {
                    "/.well-known/openid-configuration": {"jwks_uri": f"{issuer.url}/keys"},
                    "/keys": {"keys": [{"kty": "RSA", "kid": "one", "alg": "RS256", **key}]},
                }
                body = json.dumps(documents[self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format, *args):
                """Log nothing."""

        return Handler


@pytest.fixture(scope="module")
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def api_url(folder, issuer):
    """The URL of an API with the deployed integration and a JWT authorizer."""
    deployed_url = folder.outputs()[StackOutput.API_URL]
    deployed_id = deployed_url.split("/")[-2]
    gateway = boto3.client("apigatewayv2")
    (target,) = [
        each["Target"]
        for each in gateway.get_routes(ApiId=deployed_id)["Items"]
        if each["RouteKey"] == Route.GET_INFERENCE_BY_QUERY
    ]
    integration = gateway.get_integration(
        ApiId=deployed_id, IntegrationId=target.rpartition("/")[2]
    )
    api_id = gateway.create_api(Name="tokens", ProtocolType="HTTP")["ApiId"]
    target = gateway.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=integration["IntegrationUri"],
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    authorizer = gateway.create_authorizer(
        ApiId=api_id,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": [AUDIENCE]},
    )["AuthorizerId"]
    gateway.create_route(
        ApiId=api_id,
        RouteKey=Route.GET_INFERENCE_BY_QUERY,
        AuthorizationType="JWT",
        AuthorizerId=authorizer,
        Target=f"integrations/{target}",
    )
    gateway.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    boto3.client("lambda").add_permission(
        FunctionName=integration["IntegrationUri"].split("/functions/")[-1].split("/")[0],
        StatementId="tokens",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api_id}/*",
    )
    yield deployed_url.replace(deployed_id, api_id)
    gateway.delete_api(ApiId=api_id)


def test_a_valid_token_is_accepted(api_url, issuer, invoke):
    inference_id = invoke(b"hello")["InferenceId"]
    with Client(api_url, token=issuer.token()) as client:
        assert client.wait(inference_id, 30).status == "Completed"
        with pytest.raises(NotFound):
            client.get("unknown")


@pytest.mark.parametrize("problem", ["expired", "for another audience", "not a token"])
def test_an_invalid_token_is_rejected_at_once_with_a_clear_error(api_url, issuer, problem):
    token = {
        "expired": issuer.token(expires_in=-3600),
        "for another audience": issuer.token(audience="others"),
        "not a token": "not-a-token",
    }[problem]
    with Client(api_url, token=token) as client, pytest.raises(NotAuthorized, match="token"):
        client.wait("one", 60)


def test_an_expired_token_is_renewed_by_its_provider(api_url, issuer):
    tokens = iter([issuer.token(expires_in=-3600), issuer.token()])
    with Client(api_url, token=lambda: next(tokens)) as client, pytest.raises(NotFound):
        client.get("unknown")


def test_a_request_without_a_token_is_rejected(api_url):
    with httpx.Client(verify=tls_context(None)) as http:
        assert http.get(f"{api_url}/inference?id=one").status_code == 401
