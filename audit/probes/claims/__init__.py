"""The claims of the document that the project came from, put to the test."""
