"""Whom verified claims speak of: a person, and the businesses that they act for, or their roles in the console."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from schemas.messages.fields import Name, Person, Reference
from services.kernel.adapters.web import sign_in
from services.kernel.adapters.web.sign_in import MOST_BUSINESSES, SignInRefused
from services.kernel.ledger.people import ActsFor

Claims: TypeAlias = dict[str, Any]
"""The claims of a verified token, by name."""
PersonOf: TypeAlias = Callable[[Claims, str, str], sign_in.Person]
"""From claims, the name of the one that says what a person may do, and the token: the person."""


class _Business(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Name
    name: Reference | None = None


_PERSON = TypeAdapter[str](Person)
_NAMED = TypeAdapter[str](Reference)
_ROLES = TypeAdapter[list[Name]](list[Name])
_BUSINESSES = TypeAdapter[list[Name | _Business]](list[Name | _Business])


def person_of(claims: Claims, claim: str, id_token: str) -> sign_in.Person:
    """The person of these claims; `claim` lists the businesses, as ids or as objects with `id` and `name`.

    Raises:
        SignInRefused: what names the person or a business cannot be used.
    """
    try:
        person = _PERSON.validate_python(claims["sub"])
        found = _BUSINESSES.validate_python(claimed(claims, claim) or [])
    except (ValidationError, KeyError):
        raise SignInRefused("unfit_claims") from None
    if len(found) > MOST_BUSINESSES:
        raise SignInRefused("too_many_businesses")
    businesses = {each.business_id: each for each in map(_acts_for, found)}
    return sign_in.Person(person, _name(claims, person), tuple(businesses.values()), id_token)


def officer_of(known: Collection[str]) -> PersonOf:
    """How to read the claims of those who work for the authority: `claim` lists their roles, of which `known` count."""

    def read(claims: Claims, claim: str, id_token: str) -> sign_in.Person:
        try:
            person = _PERSON.validate_python(claims["sub"])
            found = _ROLES.validate_python(_listed(claimed(claims, claim)))
        except (ValidationError, KeyError):
            raise SignInRefused("unfit_claims") from None
        roles = tuple(sorted(set(found) & set(known)))
        if not roles:
            raise SignInRefused("no_role", person)
        return sign_in.Person(person, _name(claims, person), id_token=id_token, roles=roles)

    return read


def claimed(claims: Claims, claim: str) -> object:
    """What a claim says; `a.b` is the member `b` of the claim `a`, unless a claim has that very name. None: nothing."""
    if claim in claims:
        return claims[claim]
    at: object = claims
    for name in claim.split("."):
        at = at.get(name) if isinstance(at, dict) else None
    return at


def _listed(found: object) -> object:
    """Some providers give one role, or several with spaces between, as plain text."""
    return found.split() if isinstance(found, str) else found or []


def _acts_for(business: str | _Business) -> ActsFor:
    if isinstance(business, str):
        return ActsFor(business, business)
    return ActsFor(business.id, business.name or business.id)


def _name(claims: Claims, person: str) -> str:
    """What to call them: the first of these that is a plain line."""
    for name in ("name", "preferred_username", "email"):
        try:
            return _NAMED.validate_python(claims.get(name))
        except ValidationError:
            continue
    return person
