"""The lab bench measured: sessions, readers of events, a coder, a face at rest."""
