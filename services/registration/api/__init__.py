"""The HTTP door: routes, and what goes in and out of them."""

from services.registration.api import auth, cities, city_changes, directory, grants, helpdesk, links, me, memberships

ROUTERS = (
    auth.router,
    links.router,
    me.router,
    directory.router,
    cities.router,
    city_changes.router,
    memberships.router,
    grants.router,
    helpdesk.router,
)
