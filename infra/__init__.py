"""CDK constructs. `InferenceResults` in inference_results.py combines them into the service."""
