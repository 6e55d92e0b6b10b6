"""AWS services behind the interfaces that the domain defines. boto3 and botocore stay here."""
