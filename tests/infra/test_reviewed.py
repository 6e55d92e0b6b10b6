"""The gate of `make check`: a change of the infrastructure is told as `cdk diff` tells it."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from aws_cdk import cx_api

from tests.reviewed import changes, write
from tests.synthesis import assembly_of

STACK = "InferenceResults"
TABLE = "ResultsInferencesTable07CB31BC"
QUEUE = "ResultsCompletedQueueF6C524CD"
POLICY = "ResultsStatusApiHandlerRoleDefaultPolicy8127D899"


@pytest.fixture(scope="module")
def assembly():
    return assembly_of("default")


@pytest.fixture
def template(assembly):
    return Path(assembly.get_stack_by_name(STACK).template_full_path)


@pytest.fixture
def reviewed(template, tmp_path):
    reviewed = tmp_path / "reviewed.yaml"
    write(template, reviewed)
    return reviewed


@pytest.fixture
def told_of(assembly, reviewed):
    """What is told where a change of the resources was reviewed that is no longer there."""

    def told_of(change):
        before = yaml.safe_load(reviewed.read_text())
        change(before["Resources"])
        reviewed.write_text(yaml.safe_dump(before))
        return changes(assembly, STACK, reviewed)

    return told_of


def test_nothing_is_told_of_what_did_not_change(assembly, reviewed):
    assert changes(assembly, STACK, reviewed) == ""


def test_nothing_is_told_of_code_that_changed(template, reviewed, tmp_path):
    folder = shutil.copytree(template.parent, tmp_path / "other")
    other = folder / template.name
    other.write_text(re.sub("[0-9a-f]{64}", "0" * 64, template.read_text()))
    assert other.read_text() != template.read_text()
    assert changes(cx_api.CloudAssembly(str(folder)), STACK, reviewed) == ""


def test_a_table_that_would_be_replaced_is_told(told_of):
    def other_key(resources):
        resources[TABLE]["Properties"]["KeySchema"][0]["AttributeName"] = "id"

    told = told_of(other_key)
    assert f"[~] AWS::DynamoDB::GlobalTable Results/Inferences/Table {TABLE} replace" in told
    assert "[~] KeySchema (requires replacement)" in told


def test_a_queue_that_would_go_is_told(told_of):
    def other_name(resources):
        resources["Renamed"] = resources.pop(QUEUE)

    told = told_of(other_name)
    assert "[-] AWS::SQS::Queue Renamed orphan" in told
    assert f"[+] AWS::SQS::Queue Results/Completed/Queue {QUEUE}" in told


def test_a_right_that_would_be_given_is_told_and_code_is_not(told_of):
    def fewer_rights(resources):
        resources[POLICY]["Properties"]["PolicyDocument"]["Statement"] = [
            each
            for each in resources[POLICY]["Properties"]["PolicyDocument"]["Statement"]
            if "dynamodb:BatchGetItem" not in each["Action"]
        ]

    told = told_of(fewer_rights)
    assert "IAM Statement Changes" in told
    assert "dynamodb:BatchGetItem" in told
    assert "AWS::Lambda::Function" not in told
