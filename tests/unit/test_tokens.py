"""Media tokens: signed, for one call, for one stream, for a short time."""

from __future__ import annotations

import pytest
from offhook.serve.contracts.errors import TokenFault
from offhook.serve.gateway import tokens

NOW = 1_000_000.0


def test_a_token_opens_its_call_once() -> None:
    verifier = tokens.TokenVerifier("secret")
    token = tokens.issue("secret", "CA1_x-Y", NOW)
    assert verifier.redeem(token, NOW + 1) == "CA1_x-Y"
    with pytest.raises(TokenFault, match="used before"):
        verifier.redeem(token, NOW + 2)


def test_a_token_expires() -> None:
    token = tokens.issue("secret", "c", NOW, lifetime_s=10)
    with pytest.raises(TokenFault, match="expired 5 s ago"):
        tokens.TokenVerifier("secret").redeem(token, NOW + 15)


@pytest.mark.parametrize("bad", ["", "x", "a.b.c.d", "c.99999999999.nonce.", "." * 300, "c.²²²²²²²²²²²².n.s", "…"])
def test_what_is_not_a_token_is_refused(bad: str) -> None:
    with pytest.raises(TokenFault):
        tokens.TokenVerifier("secret").redeem(bad, NOW)


def test_every_changed_character_breaks_the_signature() -> None:
    token = tokens.issue("secret", "call", NOW)
    for place in range(len(token) - 1):  # the last character carries 2 bits, of which base64 ignores some
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(TokenFault):
            tokens.TokenVerifier("secret").redeem(changed, NOW)


def test_another_secret_s_token_is_refused() -> None:
    with pytest.raises(TokenFault, match="signature"):
        tokens.TokenVerifier(tokens.new_secret()).redeem(tokens.issue(tokens.new_secret(), "c", NOW), NOW)


def test_used_tokens_are_forgotten_only_after_they_have_expired() -> None:
    verifier = tokens.TokenVerifier("s")
    old = [tokens.issue("s", f"c{i}", NOW, 10) for i in range(50)]
    for token in old:
        verifier.redeem(token, NOW)
    for i in range(50):
        verifier.redeem(tokens.issue("s", f"d{i}", NOW + 20, 10), NOW + 20)
    assert len(verifier._used) == 50
    with pytest.raises(TokenFault, match="expired"):
        verifier.redeem(old[0], NOW + 20)


def test_a_call_id_that_would_not_fit_a_url_is_refused() -> None:
    with pytest.raises(TokenFault, match="letters"):
        tokens.issue("s", "a.b", NOW)
