"""A Google Drive v3 server for tests: as strict as the real one, on loopback, in memory."""
