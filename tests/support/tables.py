"""Create tables in a simulated or embedded AWS, as the template describes them."""

from typing import Any

import boto3

from tests.support.cloudformation import resources


def create_table(template: dict[str, Any], name: str) -> str:
    """Create a table with the keys and indexes of the template. Returns its name."""
    (properties,) = [
        each["Properties"]
        for logical_id, each in resources(template, "AWS::DynamoDB::GlobalTable").items()
        if f"{name.capitalize()}Table" in logical_id
    ]
    names = ("AttributeDefinitions", "BillingMode", "KeySchema", "GlobalSecondaryIndexes")
    boto3.client("dynamodb").create_table(
        TableName=name, **{each: properties[each] for each in names if each in properties}
    )
    return name
