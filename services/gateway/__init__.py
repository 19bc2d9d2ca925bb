"""The one door of the platform: browsers and programs reach every service through ``/api/v1`` and nothing else.

It keeps nothing. It checks who is calling, how often, and with what body, says when a request arrived, and hands it on
to the service that the path belongs to (:mod:`services.gateway.routes`).

in: registration.signing-keys
"""
