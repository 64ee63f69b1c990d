"""The OAuth server: lets applications act for people, and for themselves."""
