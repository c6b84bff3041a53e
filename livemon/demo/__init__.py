"""A simulated call centre: phones that place real calls through the bridge. Nothing outside imports it."""
