"""Passkeys on their way between the core and the script that asks the browser for them."""

from __future__ import annotations

import json
import re
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

# As the core takes it.
MAX_CREDENTIAL_LENGTH = 32 * 1024
_CREDENTIAL_ID = re.compile(r"[A-Za-z0-9_-]{1,1400}\Z")


def as_options(message: Message, *, with_empty: bool = False) -> str:
    """Options, as JSON for the script.

    Args:
        with_empty: whether an empty list is there, too.
    """
    return json.dumps(MessageToDict(message, always_print_fields_with_no_presence=with_empty))


def read_credential(text: str) -> Struct:
    """What the script has sent. What is no JSON is empty, and the core refuses it."""
    credential = Struct()
    try:
        content: Any = json.loads(text) if len(text) <= MAX_CREDENTIAL_LENGTH else None
        if isinstance(content, dict):
            ParseDict(content, credential)
    except (ValueError, RecursionError, ParseError):
        return Struct()
    return credential


def credential_id(credential: Struct) -> str:
    """Which passkey it is; empty if it does not say."""
    found = credential.fields["id"].string_value if "id" in credential.fields else ""
    return found if _CREDENTIAL_ID.match(found) else ""
