"""The document's claims, put to the test. Run them with ``pytest suites/claims/``: they are no part of a release."""
