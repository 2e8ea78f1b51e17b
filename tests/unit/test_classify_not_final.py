"""Delays, replies, challenges and ordinary mail in the words of many systems: none of them is final."""
# ruff: noqa: E501 - mails stand as they are sent

from __future__ import annotations

import pytest

from services.bounces.classify import classify


def mail(sender: str, subject: str, body: str, *headers: str, charset: str = "utf-8") -> bytes:
    head = [f"From: {sender}", "To: bounces+t@duly.example", f"Subject: {subject}", *headers]
    head.append(f"Content-Type: text/plain; charset={charset}")
    return ("\n".join(head) + "\n\n").encode() + body.encode(charset)


DAEMON = "MAILER-DAEMON@mx.example.net (Mail Delivery System)"

DELAYED = {
    "exim": ("Mail Delivery System <Mailer-Daemon@mx.example.net>", "Warning: message 1a-2b-3c delayed 24 hours",
             ("A message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the "
             "queue.\n\n  jane@firm.example\n\nNo action is required on your part. Delivery attempts will continue for\nsome time. "
             "Eventually the mail delivery software will give up, and when that happens, the message will be returned to you.\n")),
    "sendmail": ("Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>", "Warning: could not send message for past 4 hours",
                 ("    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n    **  YOU DO "
                 "NOT NEED TO RESEND YOUR MESSAGE  **\n\n   ----- Transcript of session follows -----\n451 <jane@firm.example>... "
                 "reply: read error\nWarning: message still undelivered after 4 hours\nWill keep trying until message is 5 days old\n")),
    "postfix": (DAEMON, "Delayed Mail (still being retried)", ("I'm sorry to have to inform you that your message could not\nbe "
                "delivered to one or more recipients yet.\n\nIt will be retried until it is 5 days old.\n\n<jane@firm.example>: timed out")),
    "german": ("postmaster@mx.example.net", "Zustellung verzögert", ("Ihre Nachricht konnte noch nicht zugestellt werden. Es wird "
               "weiterhin versucht:\n<jane@firm.example>\n")),
    "french": ("postmaster@mx.example.net", "Remise retardée", "La remise de votre message est retardée.\n<jane@firm.example>\n"),
    "japanese": ("postmaster@mx.example.net", "Mail delivery report", "メールの配送が遅延しています。\n<jane@firm.example>\n"),
}  # fmt: skip


@pytest.mark.parametrize("family", DELAYED)
def test_a_delay_is_not_final_in_any_family(family: str) -> None:
    found = classify(mail(*DELAYED[family]))
    assert (found.verdict, found.recipients) == ("delayed", ()), found


NOT_FINAL = {
    "a lure in a report's clothes": (
        "Mail Delivery System <notify@lure.example>",
        "Undelivered mail",
        "Five of your messages could not be delivered. Log in to your mailbox.\n",
    ),
    "success": (
        "Mail Delivery System <mailer-daemon@mx.example.net>",
        "Delivery Status Notification (Success)",
        "Your message was successfully delivered to:\n\n<jane@firm.example>: delivered to mailbox\n",
    ),
    "vacation": ("Jane <jane@firm.example>", "Out of office: Your annual fee", "I am away; your mail was not delivered to anyone else.",
                 "Auto-Submitted: auto-replied"),
    "vacation from the null path": ("Jane <jane@firm.example>", "Automatic reply: fee", ("My mailbox is full of work. Write to "
                                    "bob@firm.example, mail here cannot be delivered"), "Return-Path: <>"),
    "challenge": ("Jane <jane@firm.example>", "Re: fee [verify]", ("Your message could not be delivered yet. Please click the link to "
                  "confirm you are human: jane@firm.example"), "Auto-Submitted: auto-replied"),
    "parcel": ("Parcels <news@parcels.example>", "Delivery failed", "Your parcel could not be delivered. Questions? help@parcels.example"),
    "quota warning": ("Postmaster <postmaster@firm.example>", "Quota warning", "Your mailbox is almost full. Delete some mail."),
    "conversation": ("Bob <bob@firm.example>", "Re: failure notice", ("I got this:\n> I wasn't able to deliver your message to the "
                     "following addresses.\n> This is a permanent error; I've given up.\n> <jane@firm.example>:\n> 550 5.1.1")),
    "newsletter": ("News <news@example.net>", "Why 550 5.1.1 user unknown happens", "Mail could not be delivered? <a@b.example>: 550"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_FINAL)
def test_what_is_no_report_is_never_final(kind: str) -> None:
    assert classify(mail(*NOT_FINAL[kind])).verdict != "final"
