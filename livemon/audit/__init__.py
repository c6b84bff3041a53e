"""The audit trail: hash-chained journals, their verification, and their import into the store."""
