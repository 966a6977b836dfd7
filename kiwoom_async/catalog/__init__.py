"""The declared requests, one file for each."""
