"""The annotator's page, served on this machine or put into a folder for any other server."""
