"""English: phrases, answers, values, greetings, questions. Text in, what it says out; no state of a call."""
