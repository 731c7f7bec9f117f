"""The corpus of requests that mean harm, or that no client would send."""
