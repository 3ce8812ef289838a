"""Markers from outside: keys, HTTP, the page, Lab Streaming Layer; all stand on the capture clock."""
