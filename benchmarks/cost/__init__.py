"""Cost per result: requests counted on the local system, multiplied by AWS's prices."""
