"""Attach existing SageMaker endpoints to this service, and detach them."""
