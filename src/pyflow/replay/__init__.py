"""The replay core: a pure function of history. No I/O, clock, thread, randomness, greenlet or boto3."""
