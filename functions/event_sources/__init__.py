"""What Lambda hands to the functions: SQS batches and stream records."""
