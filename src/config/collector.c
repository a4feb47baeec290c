/* The endpoint is on the command line of the exporter, which every user of the host can read, so it
 * must have no secret in it; a collector's key is in the headers file. */
#include "config/collector.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/headers.h"
#include "config/address.h"
#include "config/config.h"

static void take_nothing(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static bool headers_file_is_good(const char *file, FILE *errors)
{
    struct buf text = {0};
    struct error error;
    bool good = file_read_private(file, &text, &error) &&
                headers_read(text.bytes != NULL ? text.bytes : "", take_nothing, NULL, &error);

    if (!good) {
        fprintf(errors, "cruddurd: --otlp-headers-file: %s: %s\n", file, error.text);
    }
    buf_wipe(&text);
    return good;
}

static bool is_https(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0;
}

/* http or https, and a path is all that may follow the host. */
static bool endpoint_is_good(const char *url)
{
    size_t scheme = is_https(url) ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;

    return scheme > 0 && strchr("/", url[scheme]) == NULL &&
           strcspn(url, "@?# \"<>\\^`{|}") == strlen(url);
}

/* Whether an http:// URL leads to a process of this host. */
static bool endpoint_is_local(const char *url)
{
    char address[ADDRESS_HOST_SIZE];
    size_t length = strcspn(url + 7, "/");
    bool has_port = memchr(url + 7, ':', length) != NULL && url[7 + length - 1] != ']';

    snprintf(address, sizeof address, "%.*s%s", (int)length, url + 7, has_port ? "" : ":80");
    return strncasecmp(address, "localhost:", 10) == 0 || address_reach(address) == REACH_HOST;
}

bool collector_is_good(const struct config *config, FILE *errors)
{
    const char *url = config->otlp_endpoint;

    if (url == NULL) {
        return true;
    }
    if (!endpoint_is_good(url)) {
        fprintf(errors, "cruddurd: --otlp-endpoint must be a URL such as http://127.0.0.1:4318, "
                        "without a user, a query or a fragment\n");
        return false;
    }
    if (config->otlp_headers_file == NULL) {
        return true;
    }
    if (!is_https(url) && !endpoint_is_local(url)) {
        fprintf(errors, "cruddurd: --otlp-headers-file goes only with an --otlp-endpoint of "
                        "https, or of this host, as a key that is sent in clear can be read\n");
        return false;
    }
    return headers_file_is_good(config->otlp_headers_file, errors);
}
