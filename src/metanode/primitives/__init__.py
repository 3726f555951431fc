"""What everything is made of: canonical codec, digests, Merkle trees, bitmap, keys, sealing, Refusal, Machine."""
