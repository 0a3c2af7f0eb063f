"""What all integration tests share."""

import pytest

from tend import Tendd


@pytest.fixture
def tendd():
    """A daemon that is not started yet; whatever it left is gone afterwards."""
    with Tendd() as daemon:
        yield daemon
