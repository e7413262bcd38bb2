"""An SMTP server (aiosmtpd) that prints each message as a line of JSON.

    smtp_server.py PORT [REFUSALS]

The first REFUSALS messages are turned away with a passing error. Recipients that begin with `nobody@` are refused for good.
Prints {"ready": true} once it listens.
"""

import email
import email.policy
import json
import sys
import time

from aiosmtpd.controller import Controller


class Handler:
    def __init__(self, refusals):
        self.refusals = refusals

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refusals > 0:
            self.refusals -= 1
            print(json.dumps({"refused": True}), flush=True)
            return "451 try again later"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
        told = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in message.items()],
            "type": message.get_content_type(),
            "plain": parts.get("text/plain"),
            "html": parts.get("text/html"),
        }
        print(json.dumps(told), flush=True)
        return "250 taken"


port, refusals = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
controller = Controller(Handler(refusals), hostname="127.0.0.1", port=port)
controller.start()
print(json.dumps({"ready": True}), flush=True)
while True:
    time.sleep(3600)
