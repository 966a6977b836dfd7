"""The pure half: what is sent, and what an answer means. No I/O, no clock, no event loop."""
