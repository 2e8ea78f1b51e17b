"""What mail systems write when they keep to no standard: literal tables, a comment a row for family or language.

All rows but those about the returned message are matched against folded text (lower case, no accents, single spaces).
"""
# ruff: noqa: E501 - rows are data, and the languages of the world look alike

from __future__ import annotations

import re
from typing import NamedTuple

from services.bounces.classify.languages import (
    DELAYED,
    DELAYED_IN_OTHER_SCRIPTS,
    FAILED,
    FAILED_IN_OTHER_SCRIPTS,
)

_SENDERS = (
    r"(?<!@)mailer.?daemon|mail.?daemon|mdaemon|\bdaemon@",  # the customary names: Sendmail, qmail, Exim, MDaemon
    r"(?<!@)\bpost_?master",  # RFC 5321, section 4.5.1; post_master is Apache James
    r"mail delivery|delivery (?:sub)?system|delivery.(?:status|report|fail|notif)",  # Exim, Sendmail, Gmail
    r"mail system\b|mail ?server at|^\"?mail ?server\b|smtp ?agent|post office|internet mail|mail router|<@>|mail ?admin(?:istrator)?|system administrator|\bsysadmin|undeliver|\bndr\b",  # Exchange, Netscape
    r"jetmail|interscan|mail ?marshal|m(?:ail|ime)sweeper|mailscanner|content.?filter|email gateway|groupwise|lsmtp|symantec",  # gateways
    r"system ?administrator|systembe?heerder|systeembeheerder|systemadministrat|administrateur systeme|administrador d[eo]l? sistema|amministratore sistema|administrator systemu|system attendant",  # Exchange
    r"\badmin@|-admin@|listserv@|majordomo@|sympa@|lyris|-bounces@|sieve|\bowner-",  # mailing lists, which refuse
    r"microsoft ?exchange|microsoft outlook|exchange@|bounce@|bounce-?notification",  # Exchange, Office 365, providers
)
_FAILURE_SUBJECTS = (
    r"undeliver(?:ed|able|y)?|un-?deliverable|non.?deliver|not (?:be )?deliver|nondeliverable|bounced?\b",  # all
    r"deliver\w* (?:has |status )?(?:notification|report|problem|error|fail\w*)|fail\w* (?:notice|delivery|mail)",  # all
    r"returned? (?:mail|message|to sender)|mail (?:system )?(?:error|failure)|message (?:delivery )?fail",  # Sendmail
    r"fail\w* to (?:deliver|send)|^failed:|(?:mail|message) could not be|error sending your|permanent (?:delivery )?fail|processing error",  # MDaemon, usa.net
)
# Nothing is returned while it is being tried.
_RETURNED_SUBJECT = (
    r"return(?:ed|ing) (?:mail|message|to)|undeliverable|\(failure\)|failure notice|unzustellbar|non remis"
)
# These occur in the subjects of others as well.
_WEAK_FAILURE_SUBJECTS = (
    r"user unknown|unknown user|rejected|refused|are not (?:a )?member|not allowed to post|(?:blocked|banned) contents|message blocked|loop alert",  # MDaemon, mailing lists
)
_FINAL = (
    r"permanent (?:fatal |delivery )*error|permanent(?:ly)? fail|failed permanently|given up|giving up on",  # all
    r"(?:could|can|ca|may|did|do|does|will|was|were|is|has|have|been|be) not(?: yet)?(?: be| been)? (?:success\w* )?deliver",
    r"(?:un|not )(?:able|possible) to (?:be )?(?:deliver|send|process|relay|complete delivery)",  # qmail, Yahoo
    r"(?:un|not )(?:able|possible) to \w+ (?:your|the|this) (?:e-?mail|mail|message)",  # Gmail
    (
        r"deliver\w*(?: of| to)?(?: your| the| this)?(?: e?-?mail| message)?(?: to)?(?: the| these)?(?: following)?"
        r"(?: recipients?(?: or distribution lists?)?| address(?:es)?)?(?:\(s\))?:?(?: \S+)? "
        r"(?:has |have |was |is )?(?:failed|aborted)"
    ),  # Exchange, I305M, Outlook
    r"delevery to the following recipients",  # the same, as one system spells it
    r"did not (?:reach|receive)|(?:can|ca|could) not be reached|not (?:be )?delivered",  # Exchange, Netscape
    r"undeliver(?:able|ed)|(?:is|was|are|were|been|being) (?:automatically )?(?:returned|rejected|bounced)|returned to (?:you|sender)",  # all
    r"(?:was|were) rejected by|returned because|returned permanent",  # EZweb, usa.net
    r"(?:following|these) (?:e-?mail )?(?:address|recipient|user)(?:es|s)?(?:\(e?s\))? (?:failed|was|were|had|returned)",
    r"error (?:has )?(?:occurred )?(?:while |in |with )?(?:attempting to |trying to )?deliver",  # OpenSMTPD, DragonFly
    r"deliver\w* (?:problem|error|failure)s?|fail(?:ed|ure) to (?:deliver|send|relay)|(?:problems?|trouble) deliver",
    r"failed (?:recipient|address)|delivery (?:to .{1,120})? ?fail\w*|non-?delivery",  # Smtp32, MailFoundry
    (
        r"problem with the e-?mail address|does not like recipient|(?:invalid|unknown) (?:final )?(?:delivery )?"
        r"(?:user|recipient|address)"
    ),  # qmail, IMail, Smtp32
    r"retry time(?:out)? .{0,20}exceeded|could not be sent|unsuccessful delivery",  # Exim, SurfControl
    r"(?:message|mail)(?: (?:to|for) \S{1,80}@\S{1,80})? (?:was |has been )?(?:not delivered|not accepted|refused|blocked|discarded|stopped)|delivery of the (?:e-?mail|message) was stopped",  # gateways
    r"not (?:exactly )?(?:a )?(?:recogni[sz]ed|exist|valid|listed|found|match|known|defined|registered)",  # Exchange, Notes
    r"(?:no such|unknown|invalid|no valid|not our) (?:user|recipient|mailbox|address|account|person|customer)",  # all
    r"(?:user|recipient|mailbox|address|account)s?(?: name)?(?: \S{1,80}@\S{1,80})? (?:is |was )?(?:unknown|invalid|disabled|full|rejected|not )",
    r"(?:user|recipient|mailbox|address|account|domain)s? (?:has been |have been |is |was )?(?:no longer|suspended|disabled|deactivated|closed|terminated|deleted|inactive)",
    r"(?:over|exceed\w*|out of)(?: \w+){0,3} (?:quota|disk|storage|size|limit)|quota (?:usage |is |has been )?exceeded",  # quota
    r"mailbox.{0,20} full|(?:final e-?mail delivery point)",  # quota; phquery
    r"not (?:a )?member|not allowed to post|not permitted to post|unsubscribed address|duplicated message-id in",  # mailing lists that refuse
    r"loops? back to (?:me|myself)|(?:mail|message|forwarding) loop|too many hops|encountered an error while|errors? w(?:as|ere) detected|failed after|failed because|delivery failed",  # LSMTP
)
_HARD = (
    r"permanent(?:ly)? (?:fatal |delivery )*(?:error|fail)|failed permanently|(?<!non-)fatal error|returned permanent",  # all
    r"(?:i've|have|has|been) given up|giving up on|gave up|no (?:further|more) (?:delivery )?attempts",  # qmail, Courier
    r"will not (?:be )?(?:re-?tr|attempt|try)|(?:been )?removed from the (?:mail )?queue",  # Exchange, MDaemon
    r"retry time(?:out)? .{0,20}exceeded|message expired|not (?:been )?delivered within|expired after",  # Exim, Netscape
    r"endgultig|definitiv|permanente",  # German, French, Spanish, Italian
)
_DELAY = (
    r"(?:will|shall) (?:automatically |still |be )*(?:re-?tr(?:y|ied)|keep (?:on )?trying)",  # Postfix, Gmail, Sendmail
    r"will continue (?:to (?:be |try|attempt|retry|deliver)|trying|attempt|retry|delivery)",  # hMailServer, MDaemon
    r"attempts (?:to deliver .{0,60})?will (?:be )?continue|still (?:trying|being (?:tried|attempted))",  # Exim
    r"warning (?:message )?only|advisory.only|(?:not|no) need to (?:re-?send|resubmit)",  # Sendmail, Gmail
    r"(?:has|have|is|was|been|being) (?:temporarily )?(?:delayed|postponed|deferred)|delivery delayed",  # Exchange
    r"not (?:yet )?(?:been )?(?:yet )?delivered (?:to .{0,60})?(?:after|yet)|not yet (?:been )?deliver",  # Exim
    r"delivered to one or more (?:recipients|destinations) yet|still undelivered after",  # Postfix, Sendmail
    r"could not (?:be )?(?:send|sent|delivered)? ?(?:message )?(?:for (?:the )?past|for at least)",  # Sendmail
    r"not able to deliver .{0,60} yet|transient non-fatal",  # Courier, Sendmail
    r"(?<!no )(?:further|additional|more|new|next) (?:delivery )?attempts? (?:will|are|is)|continues to (?:try|attempt|retry)",  # gateways
    r"yet to be delivered|(?:will|shall) be (?:attempted|tried) again|remains? (?:in the queue|queued)|still (?:queued|in (?:the|our) queue)|for the past \d+ hours",  # gateways
)
_DELAY_SUBJECTS = (
    r"\bdelay(?:ed)?\b|delivery warning|deferred|postponed|still (?:being|trying|undelivered)|in (?:the )?queue\b|\bretrying|not yet|\btemporary",  # all
    r"warning: (?:(?:could|can) not send|message \S+ delayed)|could not send message for past",  # Sendmail, Exim
)
_SUCCESS = (
    r"success\w* (?:delivered|relayed|sent)|(?:was|were|has been|have been) (?:delivered|relayed)|\(success\)|\(relay\w*\)",
    r"delivery (?:was )?success|erfolgreich zugestellt|remis avec succes|entregado con exito|entregue com sucesso",  # languages
    r"配信されました|配送しました|успешно доставлен|成功(?:投递|送达)|已送达",  # Japanese, Russian, Chinese
)
_SUCCESS_SUBJECTS = (
    r"success|\(relay|\(expan|\bhas been (?:delivered|relayed)|relayed\b|deliver\w* receipt|return receipt|was delivered",
    r"^(?:zugestellt|remis|entregad[oa]|entregue|recapitat[oa]|consegnat[oa]|levererat|leveret|dostarczono)\b",  # Outlook
)
# The subject alone says it, whatever the words are.
_STATED_FAILURE_SUBJECTS = (
    r"not (?:be )?deliver|undelivered mail|delivery (?:has )?failed|delivery failure|fail\w* delivery",
)
# Where they occur, a subject alone proves nothing.
_OPEN_END = (r"deferr|delay|temporar|transient|queue|retr(?:y|ied)|(?:try|tried|attempted) again|warning",)
# Reports about many mails, to those who run mailings and servers.
_STATISTICS_SUBJECT = (
    r"\b(?:hourly|daily|weekly|monthly|statistics|stats|summary|digest|totals?|top \d+|campaign|logwatch|connections|(?:this|last) (?:week|month))\b"
    r"|^\W*(?:problem|recovery|alert|critical)\s*:"
)
# A mail system speaks to the one who sent, or shows its own dialogue.
_ABOUT_A_MESSAGE = (
    r"your (?:e-?)?(?:mail|message|letter)s?\b|(?:message|mail) (?:that )?you (?:have )?(?:sent|wrote)|you are not (?:a |allowed|permitted)",
    r"(?:e-?mail|message|mail) below|failed (?:address|recipient)|undeliver\w* (?:mail|message|to)|unable to deliver|(?:could not|failed to) deliver (?:the |this |your )?(?:e-?)?m",
    r"(?:following|these|enclosed|attached|above) (?:e-?mail |mail )?(?:recipient|address|user|message|mail|destination)s?",
    r"the (?:message|mail) (?:for|to) \S{1,80}@\S{1,80} (?:could|can|was)\b|(?:this|the following) (?:e-?mail|message|mail) (?:was|could|can|has|is|to)|rcpt to\b|in reply to|remote (?:host|server) (?:said|returned)",
    r"(?:ihre|deine) (?:e-?mail|nachricht|mail)|votre (?:message|courriel|e-?mail|courrier)|(?:su|tu) (?:mensaje|correo)|sua mensagem|(?:suo|tuo|vostro|il) messaggio",
    r"(?:uw|je) (?:bericht|e-?mail)|ditt (?:meddelande|mail)|din (?:besked|meddelelse|mail|e-?post)|viesti\w*|twoja wiadomosc|wiadomosc|zprav\w|az on altal|mesajiniz|eich neges",
)
_CHALLENGE = (
    r"protected by .{0,120}(?:click|confirm|verif|link)|(?:click|follow|visit).{0,80}to (?:have|ensure|confirm|verify)",
    r"confirm (?:that )?(?:you|your (?:message|e-?mail|address|identity|mail))|prove (?:that )?you|challenge.response",
    r"spam ?arrest|\btmda\b|boxbe|bluebottle|mailblocks|spamblocker|choicemail|vanquish|0spam|knowspam",  # by name
    r"(?:reply|respond) to this (?:e-?mail|message|mail) to (?:confirm|verify|release|deliver)|only once",
    r"(?:held|waiting|awaiting|awaits) .{0,40}(?:moderat|approv|confirm|verif|authori)|quarantine",  # moderation
    r"verify your (?:account|mailbox|identity)|message was received as a bounce|bounce action noti|infected parts of",  # lures; bounces of others, told to a list's owner
    r"add(?:ed)? .{0,40}(?:allowed|approved|white|safe|guest) ?list|allowed list|whitelist",
)
_AUTO_REPLY_SUBJECTS = (
    r"^(?:re: *|aw: *)?auto(?:mat(?:ic|isch\w*|ique|ica|ed))?[- ]?(?:reply|response|answer|responder)",  # Outlook, Gmail
    r"out[- ]of[- ](?:the[- ])?office|\booo\b|vacation|away from|i am away|on leave|annual leave",  # English
    r"automatic (?:reply|response)|auto[- ]?(?:reply|response|respond)|auto-?ack|thank you for (?:your|contact)",
    r"abwesen|automatische antwort|nicht im (?:buro|haus)|urlaub",  # German
    r"reponse automatique|absence|absent du bureau|en conges",  # French
    r"respuesta automatica|fuera de (?:la )?oficina|resposta automatica|ausencia|fora do escritorio",  # Spanish, Portuguese
    r"risposta automatica|fuori (?:sede|ufficio)|automatisch antwoord|afwezig",  # Italian, Dutch
    r"автоответ|автоматический ответ|自動(?:返信|応答)|不在|自动(?:回复|答复)|自動回覆|부재|자동 ?응답",  # ru, ja, zh, ko
    r"autosvar|franvaro|automatyczna odpowiedz|nieobecn|automaticka odpoved",  # Nordic, Polish, Czech
)
# Matched against whole lines in lower case, without the rules and dashes around them.
_RETURNED_MESSAGE = (
    r"(?:this is|below (?:the next |this )?line is|enclosed is|attach\w* is|here is|below is) (?:a|the) copy of .*",
    (
        r"(?:the )?(?:headers? of the )?(?:your )?(?:original|returned|undelivered|unsent|source) (?:mail|message|e-?mail)"
        r"(?: text| headers?| body| data)?(?: is| as| are)?(?: received)?(?: is| as)?"
        r"(?: follow\w*| following| below| included| attached)*(?: \(.*)?"
    ),  # most
    r"(?:message|mail) headers? follow.*|forwarded message|old message",  # MailEnable, DragonFly, Yahoo
    r"(?:unsent|returned|old) (?:message|mail) (?:below|follows|headers).{0,40}",  # v5 Sendmail, usa.net
    r"the (?:first|header).{0,30}(?:lines )?of (?:your |the )?original message.*",  # hMailServer, MDaemon, Exim
    r"(?:mensaje|mensagem) original.*|(?:urspr.{1,2}ngliche|original)[- ]?(?:nachricht|mail).*",  # es, pt, de
    r"message (?:d'origine|original)|messaggio originale.*|(?:origineel|oorspronkelijk) bericht.*",  # fr, it, nl
    r"(?:received|return-path|dkim-signature|arc-seal|x-google-smtp-source|x-received):[ \t].*",  # its trace headers
)
# As above, for lines that begin with a rule.
_RULED_RETURNED_MESSAGE = (
    r"(?:start of )?(?:returned|original|(?:the )?header of the).{0,60}",  # Demon, JetMail, 1&1
    r"(?:original message|unsent message|message text|rfc822 message).*",  # LSMTP, Sendmail
)


_OTHER_SCRIPT = re.compile("[\u0370-\u1dff\u3040-\ud7ff]")  # neither Latin nor punctuation


class Words(NamedTuple):
    """Phrases to look for: in English, in languages of which a text shows a sign, in other scripts if it has any."""

    english: re.Pattern[str]
    languages: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
    other_scripts: re.Pattern[str]

    def search(self, folded: str) -> bool:
        """Whether any of them occurs."""
        if self.english.search(folded):
            return True
        if not folded.isascii() and _OTHER_SCRIPT.search(folded) and self.other_scripts.search(folded):
            return True
        return any(pattern.search(folded) for signs, pattern in self.languages if any(sign in folded for sign in signs))


def _any(rows: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{row})" for row in rows))


def _words(
    rows: tuple[str, ...], languages: tuple[tuple[str, str], ...] = (), other_scripts: tuple[str, ...] = ("(?!)",)
) -> Words:
    """Only at the beginning of words: trying all at every letter would take five times as long."""
    english = re.compile(rf"\b(?:{_any(rows).pattern})")
    signed = tuple((tuple(signs.split()), re.compile(rf"\b(?:{row})")) for signs, row in languages)
    return Words(english, signed, _any(other_scripts))


REPORTING_SENDER = _any(_SENDERS)
DAEMON = re.compile(r"mailer.?daemon|mail delivery (?:sub)?system", re.IGNORECASE)
STRONG_FAILURE_SUBJECT = _words(_FAILURE_SUBJECTS, FAILED, FAILED_IN_OTHER_SCRIPTS)
FAILURE_SUBJECT = _words((*_FAILURE_SUBJECTS, *_WEAK_FAILURE_SUBJECTS), FAILED, FAILED_IN_OTHER_SCRIPTS)
DELAY_SUBJECT = _words(_DELAY_SUBJECTS, DELAYED, DELAYED_IN_OTHER_SCRIPTS)
AUTO_REPLY_SUBJECT = _any(_AUTO_REPLY_SUBJECTS)
FINAL_WORDS = _words(_FINAL, FAILED, FAILED_IN_OTHER_SCRIPTS)
HARD_WORDS = _words(_HARD, (), ("неустранимая", "永久", "постоянная ошибка"))
DELAY_WORDS = _words(_DELAY, DELAYED, DELAYED_IN_OTHER_SCRIPTS)
SUCCESS_SUBJECT = _any(_SUCCESS_SUBJECTS)
RETURNED_SUBJECT = re.compile(_RETURNED_SUBJECT)
STATED_FAILURE_SUBJECT = _words((_RETURNED_SUBJECT, *_STATED_FAILURE_SUBJECTS), FAILED, FAILED_IN_OTHER_SCRIPTS)
OPEN_END = _words(_OPEN_END, DELAYED, DELAYED_IN_OTHER_SCRIPTS)
STATISTICS_SUBJECT = re.compile(_STATISTICS_SUBJECT)
ABOUT_A_MESSAGE = _words(
    _ABOUT_A_MESSAGE,
    FAILED,
    (*FAILED_IN_OTHER_SCRIPTS, r"[ВвТт]аше (?:письмо|сообщение)|сообщени|メール|[邮郵]件|메시지|메일"),
)
SUCCESS_WORDS = _any(_SUCCESS)
CHALLENGE_WORDS = _words(_CHALLENGE)
REFUSAL_LINE = re.compile(r"\b5[0-7]\d[ \-:]+(?:#?5\.\d{1,3}\.\d{1,3}|\S)|#5\.\d\.\d|\b5\.[0-7]\.\d{1,3}\b")
RETURNED_MESSAGE_FOLLOWS = _any(_RETURNED_MESSAGE)
RULED_RETURNED_MESSAGE_FOLLOWS = _any(_RULED_RETURNED_MESSAGE)
