/* The memory that the key fetcher shares with the workers, without locks, and a pipe that wakes the
 * fetcher. The fetcher is a program of its own, so it inherits the memory as a descriptor.
 *
 *     fetcher  writes the file, then fetched_s and version, then keypage_fetched()
 *     worker   sees another version and reads the file; or asks for a fetch by keypage_ask()
 *
 * The master and the fetcher may be of two versions: a fetcher that is started again is the one
 * that is installed by then. So the fields stay where they are, and new ones are only appended. */
#ifndef CRUDDUR_SHARED_KEYPAGE_H
#define CRUDDUR_SHARED_KEYPAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { KEYS_FETCH_GAP_MS = 10000 /* between two fetches, however many are asked for */ };

struct keypage {
    _Atomic uint32_t version;  /* grows with each fetch that has written the keys' file */
    _Atomic int64_t fetched_s; /* when the keys were last fetched, s since 1970; 0: never. For the
                                * workers of earlier versions; keyring.c reads the file's time */
    /* Monotonic time in ms before which the fetcher is not woken again, and in bit 0 whether a
     * requested fetch is pending. Both are in one word because they change together: with two, a
     * worker could see the new time with the old flag and not wait for keys that are on their way,
     * or set the flag just after the fetch had ended, and then all would wait for nothing. */
    _Atomic int64_t next_ask;
};

struct keypage_link {
    struct keypage *page;
    int page_fd;  /* the memory as a descriptor, for a program that is executed */
    int wake_fd;  /* the workers' end of the pipe */
    int woken_fd; /* the fetcher's */
};

/* Both return 0, or -1 with errno set. */
int keypage_open(struct keypage_link *link);
int keypage_attach(struct keypage_link *link, int page_fd, int woken_fd);

/* Wakes the fetcher, at most once per KEYS_FETCH_GAP_MS for the whole pool. Does not block. Returns
 * whether a fetch is pending: false if one has ended less than KEYS_FETCH_GAP_MS ago. */
bool keypage_ask(const struct keypage_link *link);

/* For the fetcher: a fetch has ended. Call this after version was changed, if it was. */
void keypage_fetched(const struct keypage_link *link);

#endif
