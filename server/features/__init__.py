"""The features, a folder each; see server/app.py."""
