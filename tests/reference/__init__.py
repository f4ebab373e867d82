"""A second implementation of AI-TCP, written from `schemas/` alone, to test the first one with.

Slow, without any protection against side channels, and without streams beyond what a test needs: not for use.
"""
