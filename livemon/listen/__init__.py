"""Listening: a supervisor's audio session, from the permission to the socket."""
