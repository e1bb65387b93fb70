"""The first match: firms that both systems know already are linked instead of created again."""
