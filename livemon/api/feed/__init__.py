"""The browser feed (`docs/feed-protocol.md`): what is live, per scope, to many pages at once."""
