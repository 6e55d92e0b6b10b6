"""An endpoint of the simulated SageMaker."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3

from local.deployment import OUTPUT_BUCKET, OUTPUT_PREFIX
from local.environment import EXECUTION_ROLE_ARN
from tests.support.waiting import eventually


@dataclass
class Endpoint:
    """An endpoint of the simulated SageMaker. Its config is named after it, with `-1`."""

    role_arn: str = EXECUTION_ROLE_ARN
    output: dict[str, Any] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"speech-{uuid.uuid4().hex[:8]}")

    def __post_init__(self):
        self.sagemaker = boto3.client("sagemaker")
        self.sagemaker.create_model(
            ModelName=self.name,
            ExecutionRoleArn=self.role_arn,
            PrimaryContainer={"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/speech:1"},
        )
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=f"{self.name}-1",
            ProductionVariants=[
                {
                    "VariantName": "all",
                    "ModelName": self.name,
                    "InstanceType": "ml.g5.xlarge",
                    "InitialInstanceCount": 2,
                    "InitialVariantWeight": 0.5,
                }
            ],
            AsyncInferenceConfig={
                "OutputConfig": {
                    "S3OutputPath": f"s3://{OUTPUT_BUCKET}/{OUTPUT_PREFIX}{self.name}",
                    **self.output,
                }
            },
            Tags=[{"Key": "team", "Value": "speech"}],
        )
        self.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=f"{self.name}-1")
        eventually(lambda: self.described["EndpointStatus"] != "Creating")

    @property
    def described(self):
        return self.sagemaker.describe_endpoint(EndpointName=self.name)

    @property
    def config_name(self):
        return self.described["EndpointConfigName"]

    def config(self, name):
        config = self.sagemaker.describe_endpoint_config(EndpointConfigName=name)
        tags = self.sagemaker.list_tags(ResourceArn=config["EndpointConfigArn"])["Tags"]
        for member in ("EndpointConfigArn", "EndpointConfigName", "CreationTime"):
            del config[member]
        del config["ResponseMetadata"]
        return config, {each["Key"]: each["Value"] for each in tags}
