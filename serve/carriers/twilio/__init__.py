"""Twilio: media streams and webhooks."""
