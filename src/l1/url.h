/* url: where a server is and how to log in: redis://[user:pass@]host[:port][/db], unix://[user:pass@]/path[?db=n],
 * redis+unix:// the same. Percent escapes are undone. Thread rule: pure; the list belongs to the caller until url_list_free. */
#ifndef LARDER_L1_URL_H
#define LARDER_L1_URL_H

#include <stdbool.h>
#include <stddef.h>

struct url {
    char *host; /* NULL: a Unix socket */
    char *port, *path, *user, *password; /* NULL: none */
    unsigned db;
};

struct url_list {
    struct url *url;
    size_t n;
};

/* Separated by commas or spaces. False: `error` says what is wrong and with which. */
bool url_list_parse(struct url_list *list, const char *text, char *error, size_t error_size);
void url_list_free(struct url_list *list);

#endif
