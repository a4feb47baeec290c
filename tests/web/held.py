"""Requests of a page that a test holds back, and the page's own time limits, which end when the test says so."""

import contextlib

PATCH = """
if (!window.held) {
    window.held = [];
    const plainFetch = window.fetch.bind(window);
    window.fetch = (path, options) => {
        const isHeld = window.holdPath && String(path).includes(window.holdPath) && (options?.method ?? 'GET') === window.holdMethod;
        if (!isHeld) {
            return plainFetch(path, options);
        }
        if (window.holdAnswer) {
            const [body, init] = window.holdAnswer;
            return Promise.resolve(new Response(body, init));
        }
        return new Promise((resolve, reject) => {
            window.held.push(() => plainFetch(path, options).then(resolve, reject));
            options?.signal?.addEventListener('abort', () => reject(options.signal.reason));
        });
    };
    const limits = [];
    AbortSignal.timeout = () => {
        limits.push(new AbortController());
        return limits.at(-1).signal;
    };
    window.endLimits = () => limits.splice(0).forEach(limit => limit.abort(new DOMException('It took too long.', 'TimeoutError')));
}
[window.holdPath, window.holdMethod, window.holdAnswer] = arguments;
"""


def hold(person, path, method="GET", answer=None):
    """Holds requests with this text in their path until release(). With an answer they get it at once instead: a body, and the
    options of Response."""
    person.script(PATCH, path, method, answer)


@contextlib.contextmanager
def hold_from_start(person, path, method="GET"):
    """As hold(), for a page that is loaded within the block, from its first request on."""
    source = f"window.holdAll = [{path!r}, {method!r}, null]; (function () {{ {PATCH} }})(...window.holdAll)"
    script = person.here().execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    try:
        yield
    finally:
        person.here().execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def is_held(person):
    return person.script("return window.held.length > 0")


def release(person):
    person.script("window.holdPath = null; window.held.splice(0).forEach(letGo => letGo())")


def end_limits(person):
    """Ends the time limits of all requests that are under way."""
    person.script("window.endLimits()")
