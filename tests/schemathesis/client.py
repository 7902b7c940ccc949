"""A charger with the client that openapi-python-client has made: client.py FOLDER URL TOKEN TERMINAL. Prints how the session ended."""

import sys

folder, url, token, terminal = sys.argv[1:]
sys.path.insert(0, folder)

from quittance_client import AuthenticatedClient  # noqa: E402
from quittance_client.api.sessions import commit_session, get_session, open_session  # noqa: E402
from quittance_client.models import NewSession, Problem, SessionState, Total  # noqa: E402

client = AuthenticatedClient(base_url=url, token=token)
session = open_session.sync(client=client, body=NewSession(terminal=terminal, amount=5000), idempotency_key=terminal)
while session.state != SessionState.APPROVED:
    session = get_session.sync(session.id, client=client, wait=30, version=session.version)
refused = commit_session.sync(session.id, client=client, body=Total(amount=5001))
assert isinstance(refused, Problem), refused
session = commit_session.sync(session.id, client=client, body=Total(amount=3140))
print(refused.code, session.state.value, session.amount_final, session.currency)
