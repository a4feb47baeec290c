/* What people look for: posts by words, tags and authors, and the tags that many use. */
#ifndef CRUDDUR_API_SEARCH_H
#define CRUDDUR_API_SEARCH_H

#include "api/endpoint.h"

handler search_activities; /* ?term=, the best of the newest; a list of one page */
handler search_trends;     /* the last day's tags */

#endif
