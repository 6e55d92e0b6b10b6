"""The CDK constructs. `inference_results.py` connects the parts of the service."""
