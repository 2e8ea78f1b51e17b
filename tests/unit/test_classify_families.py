"""Reports that keep to no standard: each family and language is told from delay, reply and ordinary mail."""
# ruff: noqa: E501, RUF001 - mails stand as they are sent

from __future__ import annotations

import pytest

from services.bounces.classify import classify

RETURNED = "\n\nReceived: from out.duly.example by mx.example.net; Mon, 2 Mar 2026 10:00:00 +0000\nMessage-ID: <n1@duly.example>\n"


def mail(sender: str, subject: str, body: str, *headers: str, charset: str = "utf-8") -> bytes:
    head = [f"From: {sender}", "To: bounces+t@duly.example", f"Subject: {subject}", *headers]
    head.append(f"Content-Type: text/plain; charset={charset}")
    return ("\n".join(head) + "\n\n").encode() + body.encode(charset)


DAEMON = "MAILER-DAEMON@mx.example.net (Mail Delivery System)"
FINAL = {
    "qmail": (
        DAEMON,
        "failure notice",
        "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the "
        "following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<jane@firm.example>:\n"
        "Sorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n" + RETURNED,
    ),
    "postfix": (
        DAEMON,
        "Undelivered Mail Returned to Sender",
        "This is the mail system at host mx.example.net.\n\nI'm sorry to have to inform you that your message could not\n"
        "be delivered to one or more recipients. It's attached below.\n\nFor further assistance, please send mail to "
        "postmaster.\n\n<jane@firm.example>: host mx.firm.example[192.0.2.1] said: 550 5.1.1 User\n    unknown"
        + RETURNED,
    ),
    "exim, no header": (
        "Mail Delivery System <Mailer-Daemon@mx.example.net>",
        "Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be "
        "delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n"
        "  jane@firm.example\n    unrouteable mail domain\n\n------ This is a copy of the message, including all the "
        "headers. ------\n" + RETURNED,
    ),
    "sendmail, both sections": (
        "Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>",
        "Returned mail: see transcript for details",
        (
            "The original message was received at Mon, 2 Mar 2026\nfrom localhost\n\n   ----- The following addresses had "
            "permanent fatal errors -----\n<jane@firm.example>\n    (reason: 550 5.1.1 User unknown)\n\n   ----- The following "
            "addresses had transient non-fatal errors -----\n<slow@firm.example>\n\n   ----- Transcript of session follows "
            "-----\n... while talking to mx.firm.example.:\n>>> DATA\n<<< 550 5.1.1 <jane@firm.example>... User unknown\n"
        ),
    ),
    "exchange 5.5": (
        "System Administrator <postmaster@firm.example>",
        "Undeliverable: Your annual fee",
        (
            "Your message\n\n  To:      jane@firm.example\n  Subject: Your annual fee\n  Sent:    Mon, 2 Mar 2026\n\ndid not reach "
            "the following recipient(s):\n\njane@firm.example on Mon, 2 Mar 2026 10:00:00 +0000\n    The recipient name is not "
            "recognized\n\tMSEXCH:IMS:Firm:SITE:HOST 0 (000C05A6) Unknown Recipient\n"
        ),
    ),
    "outlook": (
        "Microsoft Outlook <postmaster@firm.example>",
        "Undeliverable: Your annual fee",
        (
            "Delivery has failed to these recipients or groups:\n\njane@firm.example<mailto:jane@firm.example>\nThe email address "
            "you entered couldn't be found.\n\nDiagnostic information for administrators:\n\nGenerating server: "
            "mx.firm.example\n\njane@firm.example\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n"
        ),
    ),
    "notes": (
        "Mail Router <postmaster@firm.example>",
        "DELIVERY FAILURE: User jane (jane@firm.example) not listed in Domino Directory",
        (
            "Your message\n\n  Subject: Your annual fee\n\nwas not delivered to:\n\n  jane@firm.example\n\nbecause:\n\n  User jane "
            "not listed in Domino Directory\n"
        ),
    ),
    "gmail": (
        "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        "Delivery Status Notification (Failure)",
        "Delivery to the following recipient failed permanently:\n\n     jane@firm.example\n\nTechnical details of permanent "
        "failure:\nGoogle tried to deliver your message, but it was rejected\n\n----- Original message -----\n"
        + RETURNED,
    ),
    "yahoo": (
        "MAILER-DAEMON@yahoo.example",
        "Failure Notice",
        (
            "Sorry, we were unable to deliver your message to the following address.\n\n<jane@firm.example>:\nRemote host said: "
            "554 delivery error: dd This user doesn't have an account\n\n--- Below this line is a copy of the message.\n"
        ),
    ),
    "mailenable": (
        '"Delivery Subsystem" <POSTMASTER@mx.example.net>',
        "Message Delivery Failure",
        "MailEnable: Message could not be delivered to some recipients.\nThe following recipient(s) could not be reached:\n\n"
        "\tRecipient: [SMTP:jane@firm.example]\n\tReason: Remote SMTP Server Returned: 550 mailbox unavailable\n\nMessage "
        "headers follow:\n" + RETURNED,
    ),
    "groupwise": (
        "Mailer-Daemon@firm.example",
        "Message status - undeliverable",
        "The message that you sent was undeliverable to the following:\n\tjane@firm.example (user not found)\n",
    ),
    "imail": (
        "Postmaster <postmaster@mx.example.net>",
        "Undeliverable Mail",
        "Unknown user: jane@firm.example\n\nOriginal message follows.\n" + RETURNED,
    ),
    "mailmarshal": (
        "MailMarshal <MailMarshal@mx.example.net>",
        "Undeliverable Mail: Your annual fee",
        (
            "Your message:\n  From:    bounces+t@duly.example\n  Subject: Your annual fee\nCould not be delivered because of\n\n550 "
            "5.1.1 User unknown\n\nThe following recipients were affected:\n    jane@firm.example\n"
        ),
    ),
    "surfcontrol": (
        "Mail Administrator <postmaster@mx.example.net>",
        "Message could not be delivered",
        (
            "Your message could not be sent.\nA transcript of the attempts to send the message follows.\nThe number of attempts "
            "made: 1\nAddressed To: jane@firm.example\n\nThu 29 Apr 2026 23:34:45 +0900\nFailed to send to identified host,\n"
        ),
    ),
    "zoho": (
        "mailer-daemon@mx.example.net",
        "Undelivered Mail Returned to Sender",
        (
            "This message was created automatically by mail delivery software.\n A message that you sent could not be delivered to "
            "one or more of its recipients. This is a permanent error.\n\njane@firm.example Invalid Address, ERROR_CODE :550\n"
        ),
    ),
    "activehunter": (
        "MAILER-DAEMON@mx.example.net",
        "FAILURE NOTICE :",
        (
            "  ----- The following addresses had delivery problems "
            "-----\n>>> jane@firm.example <jane@firm.example>\n\n550 sorry, no mailbox here by that name (#5.1.1 - chkusr)"
        ),
    ),
    "mailfoundry": (
        "<MAILER-DAEMON@mx.example.net>",
        "Delivery Failure",
        (
            "Unable to deliver message to: <jane@firm.example>\n"
            "Delivery failed for the following reason:\nServer mx.firm.example failed with: 552 No such user\n"
        ),
    ),
    "german": (
        "Mail Delivery System <mailer-daemon@mx.example.net>",
        "Unzustellbar: Ihre Jahresgebühr",
        (
            "Diese Nachricht wurde automatisch erzeugt.\n\nIhre E-Mail konnte nicht zugestellt werden. Folgende Adresse ist nicht "
            "bekannt:\n\n  jane@firm.example\n"
        ),
    ),
    "french": (
        "postmaster@mx.example.net",
        "Échec de la remise",
        "Votre message n'a pas pu être délivré à l'adresse suivante :\n\n<jane@firm.example>:\nboîte inexistante\n",
    ),
    "spanish": (
        "postmaster@mx.example.net",
        "Mensaje no entregado",
        "Su mensaje no pudo ser entregado al destinatario:\n\n<jane@firm.example>:\nEl usuario no existe\n",
    ),
    "portuguese": (
        "postmaster@mx.example.net",
        "Falha na entrega",
        "Sua mensagem não pôde ser entregue ao destinatário:\n\n<jane@firm.example>:\nendereço inexistente\n",
    ),
    "italian": (
        "postmaster@mx.example.net",
        "Mancato recapito",
        "Non è stato possibile recapitare il messaggio a:\n\n<jane@firm.example>\n",
    ),
    "dutch": (
        "postmaster@mx.example.net",
        "Onbestelbaar bericht",
        "Uw bericht kon niet worden afgeleverd bij:\n\n<jane@firm.example>\n",
    ),
    "russian": (
        "mailer-daemon@mx.example.net",
        "Недоставленное сообщение",
        "К сожалению, Ваше письмо не может быть доставлено получателю:\n\n  jane@firm.example\n",
    ),
    "japanese": (
        "postmaster@mx.example.net",
        "Mail delivery error",
        "下記の宛先にメールを配信できませんでした。\n\njane@firm.example\n",
    ),
    "chinese": ("postmaster@mx.example.net", "系统退信", "很抱歉,您的邮件无法投递到以下收件人:\n\njane@firm.example\n"),
}


@pytest.mark.parametrize("family", FINAL)
def test_a_failure_report_of_any_family_is_final_for_the_failed_address_alone(family: str) -> None:
    found = classify(mail(*FINAL[family]))
    assert (found.verdict, found.recipients) == ("final", ("jane@firm.example",)), found


@pytest.mark.parametrize(("language", "charset"), [
    ("japanese", "iso-2022-jp"), ("japanese", "shift_jis"), ("chinese", "gb18030"), ("russian", "koi8-r"), ("german", "latin-1"),
])  # fmt: skip
def test_legacy_encodings_are_read(language: str, charset: str) -> None:
    sender, _, body = FINAL[language]
    assert classify(mail(sender, "failure notice", body, charset=charset)).verdict == "final"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(ending: str) -> None:
    assert classify(mail(*FINAL["qmail"]).replace(b"\n", ending.encode())).recipients == ("jane@firm.example",)


def test_auto_submitted_auto_replied_does_not_hide_a_failure() -> None:
    found = classify(mail(*FINAL["exim, no header"], "Auto-Submitted: auto-replied", "Return-Path: <>"))
    assert found.verdict == "final"


def test_the_header_of_exim_tells_who_failed() -> None:
    sender, subject, body = FINAL["exim, no header"]
    found = classify(mail(sender, subject, body, "X-Failed-Recipients: Jane@Firm.example,\n bob@firm.example"))
    assert found.recipients == ("bob@firm.example", "jane@firm.example")


def test_the_returned_message_tells_its_id() -> None:
    assert classify(mail(*FINAL["qmail"])).original_message_id == "<n1@duly.example>"


def test_several_failures_in_one_report_are_all_told() -> None:
    body = "Unable to deliver message to the following address(es).\n\n<a@firm.example>:\nno\n\n<b@firm.example>:\nno\n"
    assert classify(mail(DAEMON, "Delivery failure", body)).recipients == ("a@firm.example", "b@firm.example")


def test_the_repeated_subject_of_our_own_notice_is_not_the_words_of_the_reporter() -> None:
    _, _, body = FINAL["exchange 5.5"]
    subject = "Undeliverable: Delayed payment, final warning only"
    found = classify(mail("postmaster@firm.example", subject, body.replace("Your annual fee", "Payment delayed")))
    assert found.verdict == "final"
