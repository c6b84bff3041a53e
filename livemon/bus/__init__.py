"""The bus between nodes and the web process."""
