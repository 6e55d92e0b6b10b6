"""Ways to learn that an inference has ended without a record of it: asking S3 again and again.

Their requests are counted by their rule. They find successes only: where an inference fails and
there is no S3FailurePath, both go on asking.
"""

from dataclasses import dataclass
from typing import Final

from benchmarks.cost.prices import Item
from benchmarks.cost.usage import Usage, by_part


@dataclass(frozen=True)
class Polling:
    """Asks at once and then every `seconds`; `reads_after` that, another GET reads the output."""

    name: str
    seconds: int
    objects: int
    reads_after: bool

    def usage(self, inference_seconds: int) -> Usage:
        """Of one inference that ends after so many seconds."""
        rounds = 1 - (-inference_seconds // self.seconds)
        requests = rounds * self.objects + (1 if self.reads_after else 0)
        return Usage(1, by_part({Item.S3_GET: requests}))


ALTERNATIVES: Final = (
    # docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html: get_output
    # reads the object, and sleeps 2 s after each NoSuchKey.
    Polling("the loop of AWS's documentation: GET every 2 s", 2, 1, reads_after=False),
    # sagemaker 2.257.7 and 3: WaiterConfig(max_attempts=60, delay=15), a HEAD each, then a GET.
    Polling("the SageMaker SDK's waiter: HEAD every 15 s", 15, 1, reads_after=True),
    # With a failure path a second waiter asks for its object.
    Polling("the SageMaker SDK's waiter with S3FailurePath", 15, 2, reads_after=True),
)
INFERENCE_SECONDS: Final = (60, 600)
