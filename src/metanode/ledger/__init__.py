"""The replicated state: transactions in, receipts and a state root out."""
