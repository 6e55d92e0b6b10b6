import json
import re

import pytest

from infra.settings import Settings, SettingsError
from tests.support.synthesis import ENDPOINT, ROOT

REQUIRED = {"output_prefixes": "s3://customer-outputs/async/"}


def error_text(**context):
    with pytest.raises(SettingsError) as error:
        Settings.from_context({**REQUIRED, **context})
    return str(error.value)


def test_only_output_prefixes_is_required():
    settings = Settings.from_context(REQUIRED)
    assert settings.output_prefixes == ("s3://customer-outputs/async/",)
    with pytest.raises(SettingsError, match="setting output_prefixes: expected a value"):
        Settings.from_context({})


def test_context_keys_of_the_cdk_are_ignored():
    context = {**REQUIRED, "@aws-cdk/core:flag": True, "aws:cdk:x": [], "cli-telemetry": False}
    assert Settings.from_context(context) == Settings.from_context(REQUIRED)


@pytest.mark.parametrize(
    "given", ["s3://one/, s3://two/out", ["s3://one/", "s3://two/out/"]], ids=["-c", "cdk.json"]
)
def test_a_list_can_come_from_the_command_line_or_from_cdk_json(given):
    settings = Settings.from_context({"output_prefixes": given})
    assert settings.output_prefixes == ("s3://one/", "s3://two/out/")


@pytest.mark.parametrize("as_given", [dict, json.dumps], ids=["cdk.json", "-c"])
def test_a_group_can_come_from_the_command_line_or_from_cdk_json(as_given):
    endpoint = {**ENDPOINT, "failure_path": None}
    settings = Settings.from_context({**REQUIRED, "endpoint": as_given(endpoint)})
    assert settings.endpoint.output_path == "s3://customer-outputs/async/speech/"


def test_a_prefix_does_not_match_its_neighbours():
    settings = Settings.from_context({"output_prefixes": "s3://bucket/out"})
    assert settings.output_prefixes == ("s3://bucket/out/",)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"output_prefixes": ""}, "setting output_prefixes: expected at least 1 value"),
        (
            {"output_prefixes": "bucket/out"},
            "setting output_prefixes.0: expected s3://bucket/prefix/",
        ),
        ({"output_prefixes": "s3://b*/out"}, "setting output_prefixes.0: expected s3://"),
        ({"success_topic_arn": "my-topic"}, "setting success_topic_arn: expected the ARN of a"),
        (
            {"error_topic_arn": "arn:aws:sns:eu-west-1:123456789012:x.fifo"},
            "setting error_topic_arn: ",
        ),
        (
            {"execution_role_arns": "role"},
            "setting execution_role_arns.0: expected the ARN",
        ),
        ({"output_key_arns": "key"}, "setting output_key_arns.0: expected the ARN of a key"),
        ({"permissions_boundary_arn": "b"}, "setting permissions_boundary_arn: expected the ARN"),
        ({"success_emails": "nobody"}, "setting success_emails.0: expected an email address"),
        ({"retention_days": "0"}, "setting retention_days: expected at least 1, got '0'"),
        ({"retention_days": "ever"}, "setting retention_days: expected an integer, got 'ever'"),
        ({"inline_output_bytes": -1}, "setting inline_output_bytes: expected at least 0, got -1"),
        ({"jwt_issuer": "http://login"}, "setting jwt_issuer: expected an https:// URL"),
        ({"jwt_issuer": "https://login"}, "setting jwt_audience: expected at least one"),
        ({"jwt_audience": "one"}, "setting jwt_issuer: expected an https:// URL, because"),
        ({"shards": 257}, "setting shards: expected at most 256, got 257"),
        ({"maximum_concurrency": 1}, "setting maximum_concurrency: expected at least 2"),
        ({"workers": 0}, "setting workers: expected at least 1"),
        ({"batch_size": "11"}, "setting batch_window_seconds: expected at least 1"),
        (
            {"batch_size": 201, "batch_window_seconds": 1, "workers": 2},
            "setting batch_size: expected at most 200 for 2 workers",
        ),
        (
            {"output_prefixes": "s3://bucket/a(b/"},
            "setting output_prefixes.0: expected s3://bucket/",
        ),
        ({"api": "perhaps"}, "setting api: expected true or false, got 'perhaps'"),
        ({"runtime": "python3.8"}, "setting runtime: expected 'python3.14'"),
        ({"architecture": "sparc"}, "setting architecture: expected 'arm64' or 'x86_64'"),
        (
            {"alarms": "false", "alarm_emails": "a@b.example"},
            "setting alarm_emails: requires alarms=true",
        ),
        ({"alarm_emails": "nobody"}, "setting alarm_emails.0: expected an email address"),
        ({"oldest_message_seconds": 30}, "setting oldest_message_seconds: expected at least 60"),
        (
            {"oldest_request_seconds": 21_601},
            "setting oldest_request_seconds: expected at most 21600",
        ),
        ({"failure_percent": 100}, "setting failure_percent: expected at most 99"),
        ({"retention": 5}, "setting retention: unknown"),
        ({"endpoint": "{"}, "setting endpoint: expected a JSON object"),
        ({"endpoint": []}, "setting endpoint: expected a JSON object"),
        ({"endpoint": {}}, "setting endpoint.model_name: expected a value"),
        ({"endpoint": ENDPOINT}, "setting endpoint.failure_path: expected a path below"),
    ],
    ids=str,
)
def test_an_error_names_the_setting_and_what_was_expected(context, expected):
    assert error_text(**context).startswith(expected)


def test_all_errors_are_reported_at_once():
    assert len(error_text(retention_days=0, shards=0).splitlines()) == 2


def test_the_documented_endpoint_settings_are_valid():
    document = (ROOT / "docs/settings.md").read_text()
    (example,) = re.findall(r"^```json\n(\{\n  \"output_prefixes.*?)^```", document, re.M | re.S)
    assert Settings.from_context(json.loads(example)).endpoint.create_endpoint


def test_every_setting_is_documented():
    documented = (ROOT / "docs/settings.md").read_text()
    for name in Settings.model_fields:
        assert f"`{name}`" in documented


def test_a_watched_endpoint_has_the_default_variant_unless_it_names_another():
    settings = Settings.from_context({**REQUIRED, "watched_endpoints": "speech, ocr/blue"})
    assert settings.watched == (("speech", "AllTraffic"), ("ocr", "blue"))
    assert "expected the name of an endpoint" in error_text(watched_endpoints="speech/blue/green")
