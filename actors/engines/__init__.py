"""The call's side of speech engines: where they are, what they may say, words from them, sound from them."""
