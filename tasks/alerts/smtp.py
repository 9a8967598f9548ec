"""An alert as an e-mail, in HTML and in plain text."""

import datetime as dt
from email.message import EmailMessage

from blocks.alert_channels import mail_server
from blocks.settings.fields import AlertFields
from tasks.alerts.alert import COLORS, Alert
from tasks.templates.render import render


def send_email(alert: Alert, settings: AlertFields) -> str:
    """Send the alert to every recipient; returns the receipt. Raises PipelineFailure."""
    with mail_server(settings.smtp_url.get_secret_value()) as server:
        refused = server.send_message(message(alert, settings.alert_email_from, settings.alert_email_to))
    receipt = f"accepted for {settings.alert_email_to}"
    return f"{receipt}, but not for {', '.join(refused)}" if refused else receipt


def message(alert: Alert, sender: str, recipients: str) -> EmailMessage:
    """The e-mail; the same alert always has the same Message-ID."""
    mail = EmailMessage()
    mail["Subject"] = f"[{alert.severity}] {alert.title}"
    mail["From"], mail["To"] = sender, recipients
    mail["Date"] = dt.datetime.now(dt.UTC)
    mail["Message-ID"] = f"<{alert.alert_id.replace('/', '.')}@ecommerce-pipeline>"
    mail.set_content(render("alert.txt.j2", alert=alert))
    mail.add_alternative(render("alert.html.j2", alert=alert, color=COLORS[alert.severity]), subtype="html")
    return mail
