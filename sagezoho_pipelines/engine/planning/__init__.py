"""Planning: the real flows run on a shadow of the ledger and of both vendors, which notes what would be sent.

There is no second decision path: what a plan says is what the engine would do.
"""
