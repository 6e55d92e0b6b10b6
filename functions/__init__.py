"""The Lambda functions: one module per function, and the packages that they share."""
