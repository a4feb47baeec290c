/* Lists of pending statements. A statement is on one list at a time, and a list owns nothing: a
 * function that takes a statement out frees it or puts it into the next list (queue -> unit ->
 * sent -> queue again, spent or done). Within the queue statements are ordered by the time of their
 * submission, also those that come back to it. */
#include "db/pending.h"

#include <stddef.h>

#include "db/catalog.h"

bool pending_expires(const struct pending *pending)
{
    return pending->prepared->expires;
}

void pending_append(struct pending_list *list, struct pending *pending)
{
    pending->next = NULL;
    if (list->last != NULL) {
        list->last->next = pending;
    } else {
        list->first = pending;
    }
    list->last = pending;
    list->count++;
}

struct pending *pending_take(struct pending_list *list)
{
    struct pending *pending = list->first;

    if (pending != NULL) {
        list->first = pending->next;
        list->last = list->first != NULL ? list->last : NULL;
        list->count--;
        pending->next = NULL;
    }
    return pending;
}

void pending_remove(struct pending_list *list, const struct pending *pending)
{
    struct pending *before = NULL, *at = list->first;

    while (at != pending) {
        before = at;
        at = at->next;
    }
    if (before == NULL) {
        pending_take(list);
        return;
    }
    before->next = at->next;
    list->last = at->next != NULL ? list->last : before;
    list->count--;
    at->next = NULL;
}

/* Searches from the front, because a statement that comes back is older than nearly all of the
 * queue. */
static void put_back_one(struct pending_list *list, struct pending *pending)
{
    struct pending **at = &list->first;

    while (*at != NULL && (*at)->submitted_us <= pending->submitted_us) {
        at = &(*at)->next;
    }
    pending->next = *at;
    *at = pending;
    list->last = pending->next != NULL ? list->last : pending;
    list->count++;
}

/* A new statement is the youngest, so the usual case compares it only with the last one. */
void pending_insert(struct pending_list *list, struct pending *pending)
{
    if (list->last == NULL || list->last->submitted_us <= pending->submitted_us) {
        pending_append(list, pending);
    } else {
        put_back_one(list, pending);
    }
}

void pending_put_back(struct pending_list *list, struct pending_list *more)
{
    struct pending *pending;

    while ((pending = pending_take(more)) != NULL) {
        put_back_one(list, pending);
    }
}
