"""The recognizer moonshine: the model in its worker thread, its streams, and which of its readings are told."""
