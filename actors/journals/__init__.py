"""What is kept of calls: the journal and the register of acts, in SQLite and in Redis."""
