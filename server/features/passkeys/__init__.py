"""Passkeys: WebAuthn credentials, as the only factor or the second one."""
