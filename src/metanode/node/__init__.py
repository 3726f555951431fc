"""One machine made of machines: what one computer of the chain is, without the computer."""
