"""The web process: sign-in, the API, the browser feed and the pages."""
