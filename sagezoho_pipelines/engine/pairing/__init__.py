"""Linked vendors and customers kept equal: compared by `pairs`, settled by `pair_settling`, or `lost` on one side."""
