"""What every vendor's client does alike when it calls a server. It knows none of the vendors."""
