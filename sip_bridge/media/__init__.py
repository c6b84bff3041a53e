"""The relay: RTP in the call path, with supervisor audio mixed in where a grant allows it."""
