"""The link: the one-way copy of calls to a livemon node, and the way back for a supervisor's voice."""
