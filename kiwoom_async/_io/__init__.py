"""Everything that awaits: HTTP, rate limits, tokens, retries, and walks over pages."""
