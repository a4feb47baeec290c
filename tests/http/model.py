"""The service as a plain Python program would have it: who did what, in the order in which it was done."""

import itertools


class Post:
    def __init__(self, uuid, author, message, mentioned, parent, at):
        self.uuid = uuid
        self.author = author
        self.message = message
        self.mentioned = mentioned
        self.parent = parent
        self.at = at
        self.is_there = True
        self.is_deleted = False  # by its author, or with what it replies to; it is known for a day
        self.likes = {}  # handle → when
        self.reposts = {}

    @property
    def is_top(self):
        return self.parent is None


class Model:
    """Times are counts. What is refused is not told to the model but asked of it: may_…"""

    def __init__(self, handles):
        self.handles = handles
        self.clock = itertools.count(1)
        self.posts = []
        self.follows = {}  # (follower, followed) → when
        self.known = dict.fromkeys(handles, 0)

    # --- what is done ---

    def post(self, uuid, author, message, mentioned, parent=None):
        self.posts.append(Post(uuid, author, message, mentioned, parent, next(self.clock)))

    def mark(self, what, handle, post):
        getattr(post, what).setdefault(handle, next(self.clock))

    def unmark(self, what, handle, post):
        getattr(post, what).pop(handle, None)

    def follow(self, follower, followed):
        self.follows.setdefault((follower, followed), next(self.clock))

    def unfollow(self, follower, followed):
        self.follows.pop((follower, followed), None)

    def end(self, post, is_deleted=False):
        """Deleted or expired, with all below."""
        replies = self.replies(post)
        post.is_there = False
        post.is_deleted = is_deleted
        for reply in replies:
            self.end(reply, is_deleted)

    def is_below_expired(self, post):
        """A purge takes it away with what it replies to."""
        parent = post.parent
        return parent is not None and (not (parent.is_there or parent.is_deleted) or self.is_below_expired(parent))

    def know(self, handle):
        self.known[handle] = next(self.clock)

    # --- what there is to see ---

    def there(self):
        return [post for post in self.posts if post.is_there]

    def replies(self, post):
        """Oldest first."""
        return [reply for reply in self.there() if reply.parent is post]

    def home(self):
        return [post for post in reversed(self.there()) if post.is_top]

    def page(self, handle):
        return [post for post in self.home() if post.author == handle]

    def following(self, handle):
        """(post, by whom it was reposted), newest first."""
        events = []
        for post in self.there():
            if post.is_top and (handle, post.author) in self.follows:
                events.append((post.at, post, None))
            events += [(at, post, reposter) for reposter, at in post.reposts.items() if (handle, reposter) in self.follows]
        return [event[1:] for event in sorted(events, key=lambda event: event[0], reverse=True)]

    def notifications(self, handle):
        """(kind, by whom, what, whether that is known), newest first."""
        events = []
        for post in self.there():
            if post.author == handle:
                events += [(at, "like", liker, post.uuid) for liker, at in post.likes.items()]
                events += [(at, "repost", reposter, post.uuid) for reposter, at in post.reposts.items()]
            elif post.parent is not None and post.parent.author == handle:
                events.append((post.at, "reply", post.author, post.uuid))
            elif handle in post.mentioned:
                events.append((post.at, "mention", post.author, post.uuid))
        events += [(at, "follow", follower, None) for (follower, followed), at in self.follows.items() if followed == handle]
        others = [event for event in events if event[2] != handle]
        return [(*event[1:], event[0] <= self.known[handle]) for event in sorted(others, key=lambda event: event[0], reverse=True)]
