"""AWS services behind the protocols that the domain defines. Only adapters import botocore."""
