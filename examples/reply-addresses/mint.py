"""Mints signed reply addresses with the standard library alone. docs/reply-addresses.md explains them. Python 3.9 or newer.

    REPLY_KEY=replykey_... python3 mint.py reply in.example.com ticket-42 1798761600

The last argument, the end of the address's life in seconds of the Unix epoch, may be left out: it then lives forever.
"""

import base64
import hashlib
import hmac
import os
import struct
import sys

MAX_LOCAL_PART = 64  # octets, RFC 5321 section 4.5.3.1.1


def mint(key, local_part, domain, data, expires_at=0):
    """Makes an address. key is the text replykey_..., the local-part is in lower case, the domain in lower-case A-labels."""
    secret = base64.b64decode(key.removeprefix("replykey_"))
    minutes = (expires_at + 59) // 60
    if not 0 <= minutes < 1 << 28:
        raise ValueError("the end of its life lies outside the years 1970 to 2480")
    signed = struct.pack(">I", 1 << 28 | minutes) + data.encode()
    bound = f"letterhook reply address\n{local_part}@{domain}\n".encode()
    mac = hmac.new(secret, bound + signed, hashlib.sha256).digest()[:10]
    token = base64.b32encode(signed + mac).decode().rstrip("=").lower()
    local = f"{local_part}+{token}"
    if len(local.encode()) > MAX_LOCAL_PART:
        raise ValueError("the data does not fit")
    return f"{local}@{domain}"


if __name__ == "__main__":
    if not os.environ.get("REPLY_KEY", "").startswith("replykey_"):
        sys.exit("REPLY_KEY is not set")
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    try:
        print(mint(os.environ["REPLY_KEY"], *sys.argv[1:4], *map(int, sys.argv[4:])))
    except ValueError as error:
        sys.exit(str(error))
