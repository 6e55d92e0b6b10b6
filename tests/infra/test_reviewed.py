"""`make check` shows changes of the infrastructure as `cdk diff` does."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from aws_cdk import cx_api

from tests.support.reviewed import changes, write
from tests.support.synthesis import assembly_of

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
def diff_before(assembly, reviewed):
    """Return the diff from templates with a change to the current ones."""

    def diff_before(change):
        before = yaml.safe_load(reviewed.read_text())
        change(before["Resources"])
        reviewed.write_text(yaml.safe_dump(before))
        return changes(assembly, STACK, reviewed)

    return diff_before


def test_an_unchanged_stack_has_no_diff(assembly, reviewed):
    assert changes(assembly, STACK, reviewed) == ""


def test_changed_code_has_no_diff(template, reviewed, tmp_path):
    folder = shutil.copytree(template.parent, tmp_path / "other")
    other = folder / template.name
    other.write_text(re.sub("[0-9a-f]{64}", "0" * 64, template.read_text()))
    assert other.read_text() != template.read_text()
    assert changes(cx_api.CloudAssembly(str(folder)), STACK, reviewed) == ""


def test_a_replaced_table_is_shown(diff_before):
    def other_key(resources):
        resources[TABLE]["Properties"]["KeySchema"][0]["AttributeName"] = "id"

    diff = diff_before(other_key)
    assert f"[~] AWS::DynamoDB::GlobalTable Results/Inferences/Table {TABLE} replace" in diff
    assert "[~] KeySchema (requires replacement)" in diff


def test_a_removed_queue_is_shown(diff_before):
    def other_name(resources):
        resources["Renamed"] = resources.pop(QUEUE)

    diff = diff_before(other_name)
    assert "[-] AWS::SQS::Queue Renamed orphan" in diff
    assert f"[+] AWS::SQS::Queue Results/Completed/Queue {QUEUE}" in diff


def test_an_added_permission_is_shown_without_the_code(diff_before):
    def fewer_permissions(resources):
        resources[POLICY]["Properties"]["PolicyDocument"]["Statement"] = [
            each
            for each in resources[POLICY]["Properties"]["PolicyDocument"]["Statement"]
            if "dynamodb:BatchGetItem" not in each["Action"]
        ]

    diff = diff_before(fewer_permissions)
    assert "IAM Statement Changes" in diff
    assert "dynamodb:BatchGetItem" in diff
    assert "AWS::Lambda::Function" not in diff
