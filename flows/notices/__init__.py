"""Notices: an incident's opening and closing, told once to each configured channel. Free of Prefect.

    delivery    which notices are owed, delivering them, and remembering what reached which channel
    templates   what a notice says of an incident, in both languages (templates.yaml has the words)
    message     how that looks as plain text, Markdown, HTML, and with Slack's marks
    channels    what every channel is, and how inbox, webhook, Slack and apprise take a message
    mail        the same by SMTP
    configured  which channels the settings name, and what is wrong with these settings

Does not belong here: when incidents open and close (warehouse.incidents), the flow that delivers (alerts).
"""

from flows.notices.channels import NotDelivered
from flows.notices.configured import check
from flows.notices.delivery import Notice, deliver_pending, standing, trial

__all__ = ["NotDelivered", "Notice", "check", "deliver_pending", "standing", "trial"]
