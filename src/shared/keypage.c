/* next_ask is changed by compare-and-exchange, so of all workers that ask at the same moment one
 * writes to the pipe. The others see its value and wait for the same fetch.
 *
 * The memory is sealed: no process can shorten it, which would end the others with SIGBUS. */
#include "shared/keypage.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

_Static_assert(offsetof(struct keypage, version) == 0 && offsetof(struct keypage, fetched_s) == 8 &&
                   offsetof(struct keypage, next_ask) == 16,
               "a fetcher of another version may share the memory");

static struct keypage *map_keypage(int fd)
{
    void *memory = mmap(NULL, sizeof(struct keypage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

int keypage_open(struct keypage_link *link)
{
    int ends[2];

    link->page_fd = memfd_create("cruddur-keys", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (link->page_fd < 0 || ftruncate(link->page_fd, sizeof(struct keypage)) != 0 ||
        fcntl(link->page_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        return -1;
    }
    link->woken_fd = ends[0];
    link->wake_fd = ends[1];
    link->page = map_keypage(link->page_fd);
    return link->page != NULL ? 0 : -1;
}

int keypage_attach(struct keypage_link *link, int page_fd, int woken_fd)
{
    *link = (struct keypage_link){
        .page = map_keypage(page_fd), .page_fd = page_fd, .wake_fd = -1, .woken_fd = woken_fd};
    return link->page != NULL ? 0 : -1;
}

/* --- next_ask --- */

enum { PENDING = 1 };

static int64_t with_pending(int64_t time_ms)
{
    return time_ms | PENDING;
}

static int64_t without_pending(int64_t time_ms)
{
    return time_ms & ~(int64_t)PENDING;
}

static bool is_pending(int64_t next_ask)
{
    return (next_ask & PENDING) != 0;
}

bool keypage_ask(const struct keypage_link *link)
{
    int64_t now = clock_ms();
    int64_t next = atomic_load(&link->page->next_ask);
    int64_t asked = with_pending(now + KEYS_FETCH_GAP_MS);

    if (now < next) {
        return is_pending(next);
    }
    if (atomic_compare_exchange_strong(&link->page->next_ask, &next, asked)) {
        ssize_t ignored = write(link->wake_fd, "k", 1); /* a full pipe wakes the fetcher, too */
        (void)ignored;
        return true;
    }
    return is_pending(next); /* another process was faster, and next has its value */
}

void keypage_fetched(const struct keypage_link *link)
{
    atomic_store(&link->page->next_ask, without_pending(clock_ms() + KEYS_FETCH_GAP_MS));
}
