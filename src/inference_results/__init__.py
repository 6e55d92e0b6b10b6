"""What became of an asynchronous inference: parsing, recording and answering."""
