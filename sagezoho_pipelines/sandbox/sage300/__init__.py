"""The Sage 300 Web API, simulated: one company database behind the URLs, codes and habits of the real service."""
