"""What a mapping joins, seen against the live systems: shown, tried on a record, linted, and watched for drift."""
