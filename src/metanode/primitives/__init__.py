"""What everything is made of: canonical codec, tagged digests, Merkle trees, bitmap, keys, sealing, Refusal, Machine."""
