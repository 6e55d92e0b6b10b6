"""Keys of the customer's own, in place of the ones that AWS manages."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

# What DynamoDB needs in its caller's name, spelt out instead of AWS's `kms:ReEncrypt*`.
_READ_ACTIONS = ("kms:Decrypt", "kms:DescribeKey")
_WRITE_ACTIONS = (
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


class CustomerKeys(Construct):
    """A key each for topics (if any is created), queues, tables and alarms; rotated yearly.

    That of the queues is the event bus's as well: both hold messages.

    Topics and queues have one each: with one for both, the key's policy names the topic that the
    key encrypts, and CloudFormation sees a circle.
    """

    def __init__(self, scope: Construct, id: str, *, topics: bool, alarms: bool) -> None:
        super().__init__(scope, id)
        self.topics = kms.Key(self, "Topics", enable_key_rotation=True) if topics else None
        self.queues = kms.Key(self, "Queues", enable_key_rotation=True)
        self.table = kms.Key(self, "Table", enable_key_rotation=True)
        # Not that of the topics, which the execution roles of models may use.
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
