"""Sending a message by e-mail, with the standard library's SMTP client in a thread. Plain text, about no person.

The message's id is made from the event's, so that a mail program shows a message that was sent twice once.
https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Mailer:
    """A mail server. `security` is how the connection is protected; `username` None signs in nowhere."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    timeout_s: float
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    async def send(self, message_id: str, to: tuple[str, ...], subject: str, text: str, at: datetime) -> str | None:
        """Send one message; what went wrong, without what the server said, or None."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, ", ".join(to), subject
        message["Date"], message["Message-ID"] = format_datetime(at), f"<{message_id}@countersign.invalid>"
        message["Auto-Submitted"] = "auto-generated"  # https://www.rfc-editor.org/rfc/rfc3834#section-5
        message.set_content(text)
        try:
            await asyncio.to_thread(self._send, message)
        except (smtplib.SMTPException, OSError) as error:
            # A server's words may repeat addresses.
            return f"the mail server did not take it ({type(error).__name__})"
        return None

    def _send(self, message: EmailMessage) -> None:
        context = ssl.create_default_context()
        with self._connected(context) as server:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.username is not None and self.password is not None:
                server.login(self.username, self.password)
            refused = server.send_message(message)
            if refused:
                raise smtplib.SMTPRecipientsRefused(refused)

    def _connected(self, context: ssl.SSLContext) -> smtplib.SMTP:
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_s, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
