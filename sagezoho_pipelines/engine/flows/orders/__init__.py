"""Won deals become Sage sales orders: `flow` takes them through `drafts`, `preflight` and `making`."""
