"""Paths and views: the skip link, a view that has been left while it was loading, and one that cannot be loaded."""

from held import hold, is_held, release
from waiting import eventually


def test_the_skip_link_stays_on_the_page(people):
    andrew, _ = people
    andrew.open("/")
    andrew.go("/settings")
    andrew.wait("#main h1", "Settings")
    andrew.here().execute_async_script(
        "const [done] = arguments; addEventListener('hashchange', () => done(), {once: true}); document.querySelector('a.skip').click()"
    )
    assert andrew.find("#main h1", "Settings") is not None
    andrew.go("/search")
    andrew.wait("#main h1", "Explore")
    andrew.script("history.back()")
    andrew.wait("#main h1", "Settings")
