"""A post leaves the page at its end, in every window, without an answer that says so."""

from waiting import eventually


def set_life(quickstart, message, life):
    quickstart.sql(f"update activities set expires_at = now() + interval '{life}' where message = '{message}'")


def test_a_post_that_expires_is_gone_in_both_windows(people, quickstart):
    andrew, bayko = people
    andrew.post("Soon over")
    bayko.wait(".new-rows")
    bayko.reveal()
    set_life(quickstart, "Soon over", "1 second")
    andrew.wait_gone("#main article", "Soon over")
    bayko.wait_gone("#main article", "Soon over")


def test_the_page_itself_takes_it_away(people, quickstart):
    """The pool answers no request while the post ends."""
    andrew, _ = people
    andrew.post("Over by itself")
    for seconds in (10, 30, 120):
        set_life(quickstart, "Over by itself", f"{seconds} seconds")
        eventually(lambda: andrew.find("#main article", "Over by itself") is None or andrew.find("article.is-ending", "Over by itself"), what="the news")
        quickstart.freeze()
        try:
            if andrew.find("#main article", "Over by itself"):
                andrew.wait_gone("#main article", "Over by itself")
                return
        finally:
            quickstart.thaw()
    raise AssertionError("the post ended before the pool could be stopped")


def test_a_thread_says_that_its_post_is_gone(people, quickstart):
    andrew, _ = people
    andrew.post("A thread that ends")
    andrew.press_part("A thread that ends", "when")
    andrew.wait("article.is-main", "A thread that ends")
    set_life(quickstart, "A thread that ends", "1 second")
    andrew.wait(".note", "This post is gone")
    assert andrew.find("article") is None


def test_times_are_relative_with_the_exact_one_behind(people, quickstart):
    andrew, _ = people
    andrew.post("Some time ago")
    quickstart.sql("update activities set created_at = created_at - interval '3 hours 5 minutes' where message = 'Some time ago'")
    andrew.open("/")
    time = andrew.wait("#main article time", "3 h")
    exact = time.get_attribute("title")
    assert exact.count(":") == 2 and "20" in exact
    assert time.get_attribute("datetime").endswith("+00:00")
