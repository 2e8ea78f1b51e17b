"""Addresses in the words of a report: which of them failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_ATEXT = r"[\w!#$%&'*+/=?^`{|}~-]"
ADDRESS = rf"(?:\"[^\"\n]{{1,64}}\"|{_ATEXT}(?:{_ATEXT}|\.){{0,160}})@(?:\w[\w-]{{0,62}}\.){{1,9}}\w[\w-]{{0,62}}"
ANY_ADDRESS = re.compile(ADDRESS)
_PREFIX = re.compile(r"^(?:.*(?:smtp|rfc822)[=:;])|^['=*/|&#?!-]+", re.IGNORECASE)
_OPEN = r"[\s>*•·\-\"'<(\[]*(?:(?:expanded|generated) from:?\s*)?(?:(?:smtp|rfc822|mailto)[:;]\s*)?<?"
_ROLES_ABROAD = (
    r"empfänger|benutzer|postfach|konto|użytkownik\w*|odbiorc\w*|skrzynk\w*|compte|utilisateur|destinataire|boîte"
    r"|usuario|cuenta|buzón|usuário|conta|caixa|utente|casella|indirizzo|gebruiker|geadresseerde|mottagare\w*|modtager\w*"
    r"|příjemc\w*|címzett\w*|al.c.\w*|получател\w*|адрес\w*|ящик|пользовател\w*|收件人\w*|收件者\w*|地址|信箱|[邮郵]箱|用[户戶]"
    r"|宛先|受信者|받는 사람|수신자"
)
# In the order of how surely the address is the one that failed.
_LEVELS = (
    # a mailing list that refuses: fml, Majordomo
    re.compile(
        rf"(?:not (?:a )?member of th\w+ (?:mailing )?list|duplicated message-id in)[^@\n]{{0,40}}?<?(?P<a>{ADDRESS})",
        re.IGNORECASE,
    ),
    # the line is the address, or begins with it: Postfix, qmail, Yahoo, Exim, Sendmail, OpenSMTPD, Exchange
    re.compile(
        rf"^{_OPEN}(?P<a>{ADDRESS})[\"'>)\]]*(?:\s*$|\s*[:;,(\[]|\s*<{ADDRESS}>|\s*\.\.\.|\s+-+\s|\s+(?:on|failed)\b"
        r"|\s+(?:am|le|el|il|op|em|den|d\.|dnia)\s+\d|\s+[^@\n]{0,40}(?:error|invalid|unknown|reject|full|exceed|unable|fail|refus|\b5\d\d\b)"
        r"|\s*(?:宛|へ|様|님|에게|的))",
        re.IGNORECASE,
    ),
    # the line names its role: MailEnable, LSMTP, HotPOP, IMail, Smtp32, James, Symantec
    re.compile(
        rf"(?:recipients?|address(?:es|ed to|ed)?,?|error-for|rcpt(?: to)?|rcpt|user(?:id)?|undeliver\w*\s+to|mailbox|"
        r"account|"
        rf"deliver\w*[^@\n]{{0,40}}\bto|(?:mail|message|nachricht)\s+(?:to|an|for)|attempts|errors?|list|adress\w*|destinat\w*|"
        rf"{_ROLES_ABROAD})"
        rf"(?:\s+(?:is|are|was|to|of|for))?[\s::'\"<\[((=]+(?:(?:smtp|rfc822)[:;]\s*)?<?(?P<a>{ADDRESS})",
        re.IGNORECASE,
    ),
    # the words lead to it
    re.compile(
        rf"(?:(?:^|\s)(?:to|an|für|for|à|a|al|para|per|aan|bij|til|till|do|dla|na|pre|на|для)\s|[给給向至到]|[-=]>)\s*[<\"'(]?(?P<a>{ADDRESS})",
        re.IGNORECASE,
    ),
    # the line ends with it: Prodigy, IMail
    re.compile(rf":\s*(?:smtp\s+)?<?(?P<a>{ADDRESS})>?\s*$", re.IGNORECASE),
    # a name and its address, alone on the line
    re.compile(rf"^[^@<>()\n]{{1,60}}[<(](?:mailto:)?(?P<a>{ADDRESS})[>)](?:\s*$|\s+on\s+\d)", re.IGNORECASE),
    # beside another form of it: Biglobe
    re.compile(rf"\[\s*(?P<a>{ADDRESS})\s*\]", re.IGNORECASE),
    # X.400 names of old Exchange
    re.compile(rf"\bsmtp=(?P<a>{ADDRESS})", re.IGNORECASE),
    # a refusal: an SMTP reply or a command of the transcript
    re.compile(rf"\b[45]\d\d[ -][^@\n]{{0,80}}?(?P<a>{ADDRESS})", re.IGNORECASE),
    # any other
    re.compile(rf"(?P<a>{ADDRESS})"),
)
EVERYWHERE = len(_LEVELS)
NAMED = EVERYWHERE - 1
"""All but those that are merely mentioned."""
ON_LINES = 3
"""Those that begin a line, or whose role is named."""
_LISTED = re.compile(
    rf"[\"'>)\]]*(?:\s*[,;]\s*(?:and\s+)?|\s+(?:and|und|et|y|e|en|og|och|oraz|и)\s+)[\"'<(]*(?P<a>{ADDRESS})",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-ZÀ-ÞА-Я])|(?<=。)")
_BEGINS = re.compile(rf"[<\"'(\[]?{ADDRESS}")
_RECAP_TO = re.compile(rf"^\s*to\s*:\s*[^@\n]{{0,60}}?<?(?P<a>{ADDRESS})", re.IGNORECASE)
_NAMED_OTHERWISE = re.compile(
    r"^[\s>]*(?:to|cc|from|sender|reply-to|subject|sent|date|message-id|mail from|return-path|references"
    r"|original-recipient|(?:sender|return) address|(?:e-?mail )?sender|absender\w*|exp[eé]diteur|remitente"
    r"|mittente)\s*:"
    r"|^(?:dear|hello|hi|hallo|bonjour|hola|sehr geehrte[rs]?)\b[^:;]{0,80}$",
    re.IGNORECASE,
)
_IN_PASSING = re.compile(
    r"contact|assistance|questions|please reply|forward this|helpdesk|support@|message-id|mail from"
    r"|from your|問い合わせ|[联聯][系絡络]|문의|вопрос|kontakt\b|bei fragen|consulte",
    re.IGNORECASE,
)
_LOCAL_NAME = re.compile(r"recipients?[^:]{0,120}:[ \t]*\n\s*([\w.-]{1,64})[ \t]*(?:\n|\Z)", re.IGNORECASE)
_LONGEST_LINE = 400
_LONGEST_VALUE = 8192
_ROLES = ("postmaster@", "mailer-daemon@", "abuse@", "mdaemon@")


def clean(address: str) -> str:
    """The bare address in lower case: without brackets, quotes, address type and final dot; empty if it is none."""
    bare = _PREFIX.sub("", address.strip().strip("<>[]()\"' ")).strip("<>.,;: ").lower()
    return bare if bare.find("@") > 0 else ""


def addresses_in(value: str) -> tuple[str, ...]:
    """Every address in a header's value, in order, each once."""
    return _once(clean(found) for found in ANY_ADDRESS.findall(value[:_LONGEST_VALUE])) if "@" in value else ()


def failed_addresses(text: str, not_these: Iterable[str], levels: int = EVERYWHERE) -> tuple[str, ...]:
    """The addresses of which the reporter's words say that they failed, in order; the surest kind of line decides.

    Args:
        text: The reporter's words, without the returned message.
        not_these: Addresses of the sender and the reporter, which a report mentions in passing.
        levels: How far down to look: `EVERYWHERE`, `NAMED` or `ON_LINES`.
    """
    lines = [line[:_LONGEST_LINE] for line in text.split("\n") if "@" in line]
    excluded = frozenset(not_these)
    own_lines = [line for line in lines if not _NAMED_OTHERWISE.search(line)]
    heads = [line for line in _heads(text) if not _NAMED_OTHERWISE.search(line)]
    unlinked = (line for line in own_lines if "://" not in line)
    told = [part for line in unlinked for part in _SENTENCE_END.split(line) if not _IN_PASSING.search(part)]
    mentioned: tuple[str, ...] = ()
    searched = (own_lines, heads, told, told, told, told, own_lines, own_lines, own_lines, told)
    for level, candidates in list(zip(_LEVELS, searched, strict=True))[:levels]:
        found = _once(clean(a) for line in candidates for m in level.finditer(line) for a in _with_listed(m))
        wanted = tuple(a for a in found if a not in excluded and not a.startswith(_ROLES))
        if wanted:
            return wanted
        mentioned = mentioned or found
    recap = _once(clean(m.group("a")) for line in lines if (m := _RECAP_TO.search(line)))
    repeated = tuple(a for a in recap if a not in excluded) if levels >= NAMED else ()
    # A mail to oneself fails as well: then the address that was set aside is the one.
    return repeated or (mentioned if levels == EVERYWHERE else ())


def _heads(text: str) -> Iterator[str]:
    """The lines with an address; without those that, further in, explain the address that a paragraph begins with."""
    margin: int | None = None
    for line in text.split("\n"):
        bare = line.lstrip()
        if not bare:
            margin = None
        elif "@" in line and (margin is None or len(line) - len(bare) <= margin or bare.startswith("(expanded from")):
            margin = len(line) - len(bare) if _BEGINS.match(bare) else margin
            yield line[:_LONGEST_LINE]


def _with_listed(found: re.Match[str]) -> Iterator[str]:
    """The address, and those that follow it in a list on the same line."""
    match: re.Match[str] | None = found
    while match:
        yield match.group("a")
        match = _LISTED.match(found.string, match.end("a"))


def local_names(text: str, reporter: str) -> tuple[str, ...]:
    """Recipients that a provider names without their domain, which is its own (AOL).

    Args:
        text: The reporter's words.
        reporter: The reporter's address.
    """
    domain = reporter.rpartition("@")[2].lower()
    return _once(f"{name.lower()}@{domain}" for name in _LOCAL_NAME.findall(text)) if domain else ()


def _once(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for address in found if address))
