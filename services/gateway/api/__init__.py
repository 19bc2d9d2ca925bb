"""The gateway's own endpoints: sessions of browsers, the API's documentation, the front page, readiness."""
