"""A model of the service as a plain Python program: who did what, in the order of the actions."""

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
        self.is_deleted = False  # by its author, or together with the post that it replies to; the service keeps that for a day
        self.likes = {}  # handle → when
        self.reposts = {}

    @property
    def is_top(self):
        return self.parent is None


class Message:
    def __init__(self, uuid, sender, receiver, at):
        self.uuid = uuid
        self.sender = sender
        self.receiver = receiver
        self.at = at
        self.is_there = True

    @property
    def pair(self):
        return frozenset((self.sender, self.receiver))


class Model:
    """Times are counts. Only actions that the service accepted are passed to the model."""

    def __init__(self, handles):
        self.handles = handles
        self.clock = itertools.count(1)
        self.posts = []
        self.follows = {}  # (follower, followed) → when
        self.known = dict.fromkeys(handles, 0)
        self.told = {}  # (what, by whom, to what) → when, of likes, reposts and follows
        self.withdrawn = {}  # the same key → when, whether the recipient knew it, and the recipient
        self.messages = []
        self.read = {}  # (reader, other) → when

    # --- actions ---

    def post(self, uuid, author, message, mentioned, parent=None):
        self.posts.append(Post(uuid, author, message, mentioned, parent, next(self.clock)))

    def mark(self, what, handle, post):
        if handle not in getattr(post, what):
            getattr(post, what)[handle] = next(self.clock)
            self.tell((what, handle, post.uuid), post.author)

    def unmark(self, what, handle, post):
        if getattr(post, what).pop(handle, None):
            self.untell((what, handle, post.uuid), post.author)

    def follow(self, follower, followed):
        if (follower, followed) not in self.follows:
            self.follows[follower, followed] = next(self.clock)
            self.tell(("follow", follower, followed), followed)

    def unfollow(self, follower, followed):
        if self.follows.pop((follower, followed), None):
            self.untell(("follow", follower, followed), followed)

    def tell(self, event, recipient):
        """A notification that was taken back gets its old place if it was known or is still the newest; else an answer may have shown later ones."""
        at, was_known, _ = self.withdrawn.pop(event, (0, False, None))
        others = [at for at, *_ in self.events(recipient)] + [at for at, _, whom in self.withdrawn.values() if whom == recipient]
        self.told[event] = at if was_known or at > max(others, default=0) and at > self.known[recipient] else next(self.clock)

    def untell(self, event, recipient):
        at = self.told.pop(event)
        self.withdrawn[event] = (at, at <= self.known[recipient], recipient)

    def end(self, post, is_deleted=False):
        """The post is deleted or has expired, with all replies below it."""
        replies = self.replies(post)
        post.is_there = False
        post.is_deleted = is_deleted
        for reply in replies:
            self.end(reply, is_deleted)

    def is_below_expired(self, post):
        """Whether a purge removes the post together with the one that it replies to."""
        parent = post.parent
        return parent is not None and (not (parent.is_there or parent.is_deleted) or self.is_below_expired(parent))

    def know(self, handle):
        self.known[handle] = next(self.clock)

    def say(self, uuid, sender, receiver):
        self.messages.append(Message(uuid, sender, receiver, next(self.clock)))

    def read_up(self, reader, other):
        self.read[reader, other] = next(self.clock)

    def leave(self, handle, name):
        """The user is gone with all posts and marks. In conversations and in posts that were deleted before, the user is now called `name`."""
        for post in self.there():
            if post.author == handle:
                self.end(post)
        for post in self.posts:
            post.author = name if post.author == handle else post.author
            post.mentioned -= {handle}
            for marks in (post.likes, post.reposts):
                marks.pop(handle, None)
        for pair in [pair for pair in self.follows if handle in pair]:
            del self.follows[pair]
        self.told = {event: at for event, at in self.told.items() if handle not in event}
        self.withdrawn = {event: kept for event, kept in self.withdrawn.items() if handle not in (*event, kept[2])}
        self.known[handle] = 0
        for message in self.messages:
            message.sender = name if message.sender == handle else message.sender
            message.receiver = name if message.receiver == handle else message.receiver
        self.read = {tuple(name if each == handle else each for each in pair): at for pair, at in self.read.items() if pair[0] != handle}

    # --- results of reads ---

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
        """(post, user who reposted it or None), newest first; each post at its newest event."""
        events = []
        for post in self.there():
            if post.is_top and (handle, post.author) in self.follows:
                events.append((post.at, post, None))
            events += [(at, post, reposter) for reposter, at in post.reposts.items() if (handle, reposter) in self.follows]
        newest = {}
        for _, post, reposter in sorted(events, key=lambda event: event[0], reverse=True):
            newest.setdefault(post, reposter)
        return list(newest.items())

    def conversation(self, handle, other):
        return [message for message in self.messages if message.pair == {handle, other} and message.is_there]

    def conversations(self, handle):
        """(other user, newest message that is left, number of unread ones), by the time of the last message that was sent."""
        found = {}
        for message in self.messages:
            if handle in message.pair:
                (other,) = message.pair - {handle}
                found.pop(other, None)
                found[other] = None
        rows = [(other, self.conversation(handle, other)) for other in reversed(found)]
        return [(other, left[-1].uuid, self.unread(handle, other)) for other, left in rows if left]

    def unread(self, handle, other):
        if other not in self.handles:
            return 0  # the user has left
        return sum(message.sender == other and message.at > self.read.get((handle, other), 0) for message in self.conversation(handle, other))

    def notifications(self, handle):
        """(kind, actor, activity, whether the user knows it), newest first."""
        return [(*event[1:], event[0] <= self.known[handle]) for event in sorted(self.events(handle), key=lambda event: event[0], reverse=True)]

    def events(self, handle):
        """(time, kind, actor, activity); the time is 0 for an event that tell() is adding."""
        events = []
        for post in self.there():
            if post.author == handle:
                events += [(self.told.get(("likes", liker, post.uuid), 0), "like", liker, post.uuid) for liker in post.likes]
                events += [(self.told.get(("reposts", reposter, post.uuid), 0), "repost", reposter, post.uuid) for reposter in post.reposts]
            elif post.parent is not None and post.parent.author == handle:
                events.append((post.at, "reply", post.author, post.uuid))
            elif handle in post.mentioned:
                events.append((post.at, "mention", post.author, post.uuid))
        events += [(self.told.get(("follow", *pair), 0), "follow", pair[0], None) for pair in self.follows if pair[1] == handle]
        return [event for event in events if event[2] != handle]
