"""All that Dagster sees, and nothing else: thin assets, checks, jobs, schedules, sensors over the engine."""
