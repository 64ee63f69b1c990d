"""Second factors that are a code, sent by mail or by SMS."""
