"""From a SageMaker notification to a recorded result."""
