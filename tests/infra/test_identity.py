"""Logical ids that must not change.

To CloudFormation, another id is another resource: it creates the new one and removes the old one.
That loses the data of a table or queue, the ARN of a topic, the URL of the API, and the rules on a
bus. When a subscription or policy is replaced, deleting the old one undoes the new one. A new
mapping reads the stream from its beginning.
"""

import pytest

from tests.support.synthesis import VARIANTS, synthesised

MAPPING = "AWS::Lambda::EventSourceMapping"

TABLES = {
    "ResultsInferencesTable07CB31BC": "AWS::DynamoDB::GlobalTable",
    "ResultsSummariesTable1F579B1F": "AWS::DynamoDB::GlobalTable",
}
SUMMARIZER = {
    "ResultsSummarizerDeadLetterQueue30F03343": "AWS::SQS::Queue",
    "ResultsSummarizerDeadLetterQueuePolicyEEA942F5": "AWS::SQS::QueuePolicy",
    "ResultsSummarizerSummarizeFunctionStream0287C27C": MAPPING,
}
COMPLETED = {
    "ResultsCompletedQueueF6C524CD": "AWS::SQS::Queue",
    "ResultsCompletedQueuePolicyC9BBA820": "AWS::SQS::QueuePolicy",
    "ResultsCompletedQueueInferenceResultsCompletedTopic40EA3177B643D54F": "AWS::SNS::Subscription",
    "ResultsCompletedDeadLetterQueue1EB02FE0": "AWS::SQS::Queue",
    "ResultsCompletedDeadLetterQueuePolicyE9F315F4": "AWS::SQS::QueuePolicy",
    "ResultsCompletedSubscriptionDeadLetterQueueD117063B": "AWS::SQS::Queue",
    "ResultsCompletedSubscriptionDeadLetterQueuePolicyFFAAF7FC": "AWS::SQS::QueuePolicy",
    "ResultsCompletedRecorderRecordResultFunctionQueue3D8E8C1E": MAPPING,
}
FAILED = {
    "ResultsFailedQueue52B9859D": "AWS::SQS::Queue",
    "ResultsFailedQueuePolicy68F83A2D": "AWS::SQS::QueuePolicy",
    "ResultsFailedQueueInferenceResultsFailedTopic681215EE2759FC4A": "AWS::SNS::Subscription",
    "ResultsFailedDeadLetterQueue2B13DAEE": "AWS::SQS::Queue",
    "ResultsFailedDeadLetterQueuePolicy9A7AE2F1": "AWS::SQS::QueuePolicy",
    "ResultsFailedSubscriptionDeadLetterQueueFAE29550": "AWS::SQS::Queue",
    "ResultsFailedSubscriptionDeadLetterQueuePolicy13779653": "AWS::SQS::QueuePolicy",
    "ResultsFailedRecorderRecordResultFunctionQueueFFAE2447": MAPPING,
}
TOPICS = {
    "ResultsCompletedTopic931686FB": "AWS::SNS::Topic",
    "ResultsCompletedTopicPolicy4BD7A8B9": "AWS::SNS::TopicPolicy",
    "ResultsFailedTopic64BD4293": "AWS::SNS::Topic",
    "ResultsFailedTopicPolicyC9C43B4E": "AWS::SNS::TopicPolicy",
}
UNPROCESSABLE = {
    "ResultsUnprocessableQueueF8FD1FB4": "AWS::SQS::Queue",
    "ResultsUnprocessableQueuePolicyB85E64F4": "AWS::SQS::QueuePolicy",
}
BUS = {"ResultsEventPublisherBus6F38E414": "AWS::Events::EventBus"}
EVENT_PUBLISHER = {
    "ResultsEventPublisherDeadLetterQueueF982ED95": "AWS::SQS::Queue",
    "ResultsEventPublisherDeadLetterQueuePolicy9BCD2547": "AWS::SQS::QueuePolicy",
    "ResultsEventPublisherPublishEventsFunctionStream6596A911": MAPPING,
}
ALARMS = {
    "ResultsAlarmsTopicE25859F4": "AWS::SNS::Topic",
    "ResultsAlarmsTopicPolicyE9EDFE70": "AWS::SNS::TopicPolicy",
}
API = {"ResultsStatusApi3C30CE7A": "AWS::ApiGatewayV2::Api"}
KEYS = {
    "ResultsKeysAlarmsE4F88749": "AWS::KMS::Key",
    "ResultsKeysQueues4D4DF3C2": "AWS::KMS::Key",
    "ResultsKeysTableFC3DAE3A": "AWS::KMS::Key",
    "ResultsKeysTopicsA79F92B3": "AWS::KMS::Key",
}
EMAILS = {
    "ResultsCompletedTopicteamexamplecom16ADDF8B": "AWS::SNS::Subscription",
    "ResultsFailedTopiconcallexamplecom990E408D": "AWS::SNS::Subscription",
    "ResultsFailedTopicteamexamplecomB17C9D13": "AWS::SNS::Subscription",
}
ALARM_EMAILS = {
    "ResultsAlarmsTopiconcallexamplecomB850A1D1": "AWS::SNS::Subscription",
    "ResultsAlarmsTopicteamexamplecom09B14B4E": "AWS::SNS::Subscription",
}
ENDPOINT = {"Endpoint": "AWS::SageMaker::Endpoint"}

DEFAULT = (
    TABLES
    | SUMMARIZER
    | COMPLETED
    | FAILED
    | TOPICS
    | UNPROCESSABLE
    | BUS
    | EVENT_PUBLISHER
    | API
    | ALARMS
)
MISSING = {
    "existing topics": TOPICS,
    "one existing topic": TOPICS | FAILED,
    "no api": API,
    "no alarms": ALARMS,
    "no events": BUS | EVENT_PUBLISHER,
    "existing bus": BUS,
}
ADDITIONAL = {
    "customer keys": KEYS,
    "endpoint": ENDPOINT,
    "watched endpoints": ALARM_EMAILS,
    "email, boundary, older runtime": EMAILS,
}
KINDS = {*(DEFAULT | KEYS | ENDPOINT).values()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_resources_with_data_or_references_keep_their_logical_ids(variant):
    found = {
        logical_id: each["Type"]
        for template in synthesised(variant).values()
        for logical_id, each in template["Resources"].items()
        if each["Type"] in KINDS
    }
    missing = MISSING.get(variant, {})
    expected = {name: kind for name, kind in DEFAULT.items() if name not in missing}
    assert found == expected | ADDITIONAL.get(variant, {})
