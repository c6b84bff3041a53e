"""Schema changes, one file each, applied in order by `livemon.store.engine.Store.migrate`."""
