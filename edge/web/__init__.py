"""The pages that people see: sign-in, registration, their account."""
