/* What the process that fetches the issuer's keys and the workers that use them tell each other: a
 * page of shared memory without locks, and a pipe to wake the fetcher. */
#ifndef CRUDDUR_SHARED_KEYPAGE_H
#define CRUDDUR_SHARED_KEYPAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { KEYS_FETCH_GAP_MS = 10000 /* between two fetches, whatever is asked for */ };

struct keypage {
    _Atomic uint32_t generation; /* goes up when the keys' file has new text */
    _Atomic int64_t fetched_s;   /* when the issuer last gave them, seconds since 1970; 0: never */
    /* Monotonic: nobody wakes the fetcher before this. Odd while a fetch that was asked for is to
     * come, even when it is done. */
    _Atomic int64_t next_ask_ms;
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

/* Asks for fresh keys, at most once per KEYS_FETCH_GAP_MS for the whole pool. Never blocks. Whether
 * a fetch is to be waited for: not when one has been done less than that ago. */
bool keypage_ask(const struct keypage_link *link);

/* The fetcher's word that a fetch is done, behind the new generation if there is one. */
void keypage_fetched(const struct keypage_link *link);

#endif
