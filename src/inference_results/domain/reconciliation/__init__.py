"""Records and outputs that no notification took care of."""
