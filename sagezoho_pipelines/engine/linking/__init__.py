"""The mapping table in a person's hands: what is asked for is checked on both sides, and then done."""
