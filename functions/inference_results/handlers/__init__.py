"""One module for each Lambda function: it wires adapters to a use case."""
