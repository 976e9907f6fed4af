"""What values become on their way: plain JSON out of rich values, rich values by hints, and the seal of codecs and stores."""
