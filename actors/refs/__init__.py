"""References to what runs on Ray, and what each can be asked. Nothing else touches an actor handle."""
