"""Customer managed KMS keys, as an alternative to the keys that AWS manages."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from .settings import Settings

_QUEUE_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
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

    Without the setting `customer_keys`, every key is None and no role needs permissions.

    The key of the queues also encrypts the event bus. All keys are rotated yearly.

    Topics and queues cannot share a key: its policy would name the topic that it encrypts, which
    CloudFormation rejects as a circular dependency.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        enabled = settings.customer_keys
        creates_topics = not (settings.success_topic_arn and settings.error_topic_arn)
        self.topics = self._key("Topics") if enabled and creates_topics else None
        self.queues = self._key("Queues") if enabled else None
        self.table = self._key("Table") if enabled else None
        # Separate, because the execution roles of models can use the key of the topics.
        self.alarms = self._key("Alarms") if enabled and settings.alarms else None

    def allow_recording(self, role: iam.IRole) -> None:
        _allow(self.queues, role, *_QUEUE_ACTIONS)
        self.allow_writing(role)

    def allow_writing(self, role: iam.IRole) -> None:
        _allow(self.table, role, *_READ_ACTIONS, *_WRITE_ACTIONS)

    def allow_publishing_events(self, role: iam.IRole) -> None:
        _allow(self.queues, role, *_QUEUE_ACTIONS)
        self.allow_reading(role)

    def allow_reading(self, role: iam.IRole) -> None:
        _allow(self.table, role, *_READ_ACTIONS)

    def _key(self, id: str) -> kms.IKey:
        return kms.Key(self, id, enable_key_rotation=True)


def _allow(key: kms.IKey | None, role: iam.IRole, *actions: str) -> None:
    if key:
        key.grant(role, *actions)
