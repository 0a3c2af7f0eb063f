"""What all integration tests share."""

import faulthandler
import os

import pytest

from tend import Tendd


# Longer than any test takes; one that hangs then ends with the lines where it stood, and the rest of the run goes on.
LONGEST_SECONDS = 600


def pytest_configure(config):
    config.stack_of_hanging = open(os.dup(2), "w")  # where a captured test could not be read any more


@pytest.fixture(autouse=True)
def ends_some_time(request):
    faulthandler.dump_traceback_later(LONGEST_SECONDS, exit=True, file=request.config.stack_of_hanging)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def tendd():
    """A daemon that is not started yet; whatever it left is gone afterwards."""
    with Tendd() as daemon:
        yield daemon
