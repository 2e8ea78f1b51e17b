"""E-mail addresses fit for an SMTP envelope and a header, narrower than the grammar on purpose.

What is refused here is legal in places (quoted local parts, domain literals, SMTPUTF8) and yet rarely delivered; an
address that mail systems disagree about is a notice that nobody can prove served.
"""

from __future__ import annotations

import re

LONGEST_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3: a path of 256 octets, less its angle brackets
LONGEST_LOCAL_PART = 64  # RFC 5321 section 4.5.3.1.1
LONGEST_DOMAIN = 253  # RFC 1035 section 2.3.4: 255 octets on the wire

# RFC 5322 section 3.2.3: dot-atom-text, ASCII only.
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
# RFC 1123 section 2.1: letters, digits, inner hyphens.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff\ufeff]")
# IDNA 2003 (the standard library's) and IDNA 2008 send these to different domains, that is: to different people.
_DEVIATIONS = frozenset("ßς\u200c\u200d")


def address_fault(address: str) -> str | None:
    """Say why mail to this address cannot be sent, or None if it can.

    The answer never repeats the address, so that it may be logged. Sources: RFC 5321 sections 4.1.2 and 4.5.3.1,
    RFC 5322 section 3.2.3, RFC 1123 section 2.1, RFC 3490 for international domain names.
    """
    if not address:
        return "the address is empty"
    if len(address) > LONGEST_ADDRESS:
        return f"the address is longer than {LONGEST_ADDRESS} characters"
    if _UNSEEN.search(address):
        return "the address has a space, a line break, a control character or an invisible character"
    local, at, domain = address.partition("@")
    if not at or "@" in domain:
        return "the address needs exactly one @"
    return _local_part_fault(local) or _domain_fault(domain) or _length_fault(local, domain)


def normal(address: str) -> str:
    """Give the address as it goes on the wire: the local part kept, the domain in lower-case ASCII (punycode).

    Raises:
        ValueError: the address has a fault, and which.
    """
    if fault := address_fault(address):
        raise ValueError(fault)
    local, _, domain = address.partition("@")
    return f"{local}@{_ascii_domain(domain)}"


def matching_key(address: str) -> str:
    """Give the form in which two spellings of one mailbox are equal: all lower case, the domain in punycode.

    Local parts may differ by case in theory (RFC 5321 section 2.4) and do not in practice; bounces change the case.
    Takes anything, also what is no address: evidence names what it names.
    """
    bare = address.strip().removeprefix("<").removesuffix(">").strip()
    local, at, domain = bare.rpartition("@")
    ascii_domain = _ascii_domain(domain)
    return f"{local}{at}{domain if ascii_domain is None else ascii_domain}".lower()


def _local_part_fault(local: str) -> str | None:
    if '"' in local:
        return "the part before the @ is quoted; quoted local parts are not taken"
    if not local.isascii():
        return "the part before the @ has letters outside ASCII"
    if len(local) > LONGEST_LOCAL_PART:
        return f"the part before the @ is longer than {LONGEST_LOCAL_PART} characters"
    if not _DOT_ATOM.fullmatch(local):
        return "the part before the @ is empty, has a misplaced dot or a character that is not allowed"
    return None


def _domain_fault(domain: str) -> str | None:
    if domain.startswith("["):
        return "the domain is an IP address literal; a domain name is needed"
    if _DEVIATIONS.intersection(domain):
        return "the domain has a letter that two standards read differently; give the domain in its xn-- form"
    ascii_domain = _ascii_domain(domain)
    return "the domain is not a valid international domain name" if ascii_domain is None else _wire_fault(ascii_domain)


def _wire_fault(ascii_domain: str) -> str | None:
    if len(ascii_domain) > LONGEST_DOMAIN:
        return f"the domain is longer than {LONGEST_DOMAIN} characters"
    labels = ascii_domain.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return "the domain has an empty, over-long or malformed label"
    if len(labels) < 2:  # noqa: PLR2004 -- a name and its top-level domain
        return "the domain has no dot; a full domain name is needed"
    return "the domain is an IP address; a domain name is needed" if labels[-1].isdigit() else None


def _length_fault(local: str, domain: str) -> str | None:
    if len(local) + 1 + len(_ascii_domain(domain) or "") > LONGEST_ADDRESS:
        return f"the address is longer than {LONGEST_ADDRESS} characters with its domain in punycode"
    return None


def _ascii_domain(domain: str) -> str | None:
    if domain.isascii():
        return domain.lower()
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
