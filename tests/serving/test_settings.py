"""What is served, and how: what cannot go together is refused."""

import pytest

from serving.settings import Serving


def test_a_replica_that_stops_is_no_more_when_what_it_had_in_hand_is_anothers():
    with pytest.raises(ValueError, match="deadline_seconds may be 60 at most"):
        Serving({}, deadline_seconds=61)
