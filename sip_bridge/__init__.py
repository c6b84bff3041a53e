"""The SIP and RTP bridge that stands in the call path between a telephone system and its phones."""
