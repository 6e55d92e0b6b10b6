"""Customer managed KMS keys, as an alternative to the keys that AWS manages."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

# The actions that DynamoDB performs for its caller, without the wildcard `kms:ReEncrypt*`.
_READ_ACTIONS = ("kms:Decrypt", "kms:DescribeKey")
_WRITE_ACTIONS = (
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


class CustomerKeys(Construct):
    """One key each for topics (if the stack creates any), queues, tables and alarms.

    The key of the queues also encrypts the event bus. All keys are rotated yearly.

    Topics and queues cannot share a key: its policy would name the topic that it encrypts, which
    CloudFormation rejects as a circular dependency.
    """

    def __init__(self, scope: Construct, id: str, *, topics: bool, alarms: bool) -> None:
        super().__init__(scope, id)
        self.topics = kms.Key(self, "Topics", enable_key_rotation=True) if topics else None
        self.queues = kms.Key(self, "Queues", enable_key_rotation=True)
        self.table = kms.Key(self, "Table", enable_key_rotation=True)
        # Separate, because the execution roles of models can use the key of the topics.
        self.alarms = kms.Key(self, "Alarms", enable_key_rotation=True) if alarms else None

    def allow_recording(self, role: iam.IRole) -> None:
        self.queues.grant(role, "kms:Decrypt", "kms:GenerateDataKey")
        self.allow_writing(role)

    def allow_writing(self, role: iam.IRole) -> None:
        self.table.grant(role, *_READ_ACTIONS, *_WRITE_ACTIONS)

    def allow_publishing_events(self, role: iam.IRole) -> None:
        self.queues.grant(role, "kms:Decrypt", "kms:GenerateDataKey")
        self.table.grant(role, *_READ_ACTIONS)

    def allow_reading(self, role: iam.IRole) -> None:
        self.table.grant(role, *_READ_ACTIONS)
