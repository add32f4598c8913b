"""A small case system: it asks the service over HTTP and loses nothing when either one stops."""
