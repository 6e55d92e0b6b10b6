"""What a result costs: requests counted in real runs on the local system, times AWS's prices."""
