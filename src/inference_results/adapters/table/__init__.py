"""The DynamoDB tables, one module per role."""
