"""What may be said and done: agents' proposals, the gate's rules, consent, acts, approvals, debts."""
