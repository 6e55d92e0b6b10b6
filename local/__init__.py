"""The whole system on one machine: an embedded AWS that enforces IAM, and a simulated SageMaker."""
