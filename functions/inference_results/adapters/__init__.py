"""S3, DynamoDB and SQS as the domain needs them. boto3 is used here and nowhere else."""
