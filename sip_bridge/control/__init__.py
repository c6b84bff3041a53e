"""The control process: SIP, the record of calls, grants and the link, joined."""
