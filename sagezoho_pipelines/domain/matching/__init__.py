"""Which firm of one system is which firm of the other, told from what both know of them."""
