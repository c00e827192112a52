"""What the tests of this plugin share."""

from __future__ import annotations

from charrua_hl7.testing import listen as listen  # a fixture
