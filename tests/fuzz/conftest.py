from tests.support.handlers import context, load_handler, s3, unprocessable_queue_url

__all__ = ["context", "load_handler", "s3", "unprocessable_queue_url"]
