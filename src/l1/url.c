#include "l1/url.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdio.h>

#define DEFAULT_PORT "6379"
#define DB_MAX 1000000

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL: a bad escape, or a NUL. */
static char *unescaped(struct slice s) {
    char *out = mem_alloc(MEM_MISC, s.n + 1), *to = out;
    for (size_t i = 0; i < s.n; i++, to++) {
        *to = s.p[i];
        if (*to != '%') continue;
        int high = i + 2 < s.n ? hex(s.p[i + 1]) : -1, low = i + 2 < s.n ? hex(s.p[i + 2]) : -1;
        if (high < 0 || low < 0 || !(high | low)) {
            mem_free(MEM_MISC, out);
            return NULL;
        }
        *to = (char)(high << 4 | low);
        i += 2;
    }
    *to = 0;
    return out;
}

static bool put(char **out, struct slice s) {
    *out = unescaped(s);
    return *out != NULL;
}

/* What is before `c` goes to *head, and it and c leave *rest; false and nothing changed if c is not there. */
static bool cut(struct slice *rest, char c, struct slice *head) {
    const char *at = rest->n ? memchr(rest->p, c, rest->n) : NULL;
    if (!at) return false;
    *head = (struct slice){rest->p, (size_t)(at - rest->p)};
    *rest = (struct slice){at + 1, rest->n - head->n - 1};
    return true;
}

static bool db_read(struct slice s, unsigned *db) {
    uint64_t v;
    if (!num_u64(s, &v) || v > DB_MAX) return false;
    *db = (unsigned)v;
    return true;
}

/* The last '@': a password may hold one, though it should be escaped. */
static const char *login_read(struct url *u, struct slice *rest) {
    const char *at = rest->n ? memrchr(rest->p, '@', rest->n) : NULL;
    if (!at) return NULL;
    struct slice login = {rest->p, (size_t)(at - rest->p)}, user = login;
    *rest = (struct slice){at + 1, rest->n - login.n - 1};
    if (!cut(&login, ':', &user)) return "a user without a password";
    if ((user.n && !put(&u->user, user)) || !put(&u->password, login)) return "a bad escape in the login";
    return NULL;
}

static const char *tcp_read(struct url *u, struct slice rest) {
    struct slice authority = rest, query;
    if (cut(&rest, '?', &query)) return "options, which there are none of";
    rest = authority;
    if (cut(&rest, '/', &authority) && rest.n && !db_read(rest, &u->db)) return "a database that is no number";
    const char *wrong = login_read(u, &authority);
    if (wrong) return wrong;
    struct slice host = authority, port = slice_of(DEFAULT_PORT);
    if (authority.n && *authority.p == '[') { /* [::1]:6379 */
        authority = (struct slice){authority.p + 1, authority.n - 1};
        if (!cut(&authority, ']', &host)) return "a bracket without its end";
        if (authority.n && *authority.p != ':') return "something behind the bracket";
        if (authority.n) port = (struct slice){authority.p + 1, authority.n - 1};
    } else if (cut(&authority, ':', &host)) {
        port = authority;
    }
    uint64_t number;
    if (!num_u64(port, &number) || !number || number > 65535) return "a port that is none";
    if (!host.n) host = slice_of("127.0.0.1");
    return put(&u->host, host) && put(&u->port, port) ? NULL : "a bad escape in the host";
}

static const char *unix_read(struct url *u, struct slice rest) {
    struct slice path = rest, query = {NULL, 0};
    if (cut(&rest, '?', &path)) {
        query = rest;
        if (query.n < 3 || memcmp(query.p, "db=", 3)) return "options other than db=N";
        if (!db_read((struct slice){query.p + 3, query.n - 3}, &u->db)) return "a database that is no number";
    }
    const char *slash = path.n ? memchr(path.p, '/', path.n) : NULL, *wrong = NULL;
    if (!slash) return "no path";
    if (slash > path.p) { /* user:pass@ stands before the first slash */
        struct slice login = {path.p, (size_t)(slash - path.p)};
        if ((wrong = login_read(u, &login))) return wrong;
        if (login.n) return "a host before the path";
    }
    path = (struct slice){slash, path.n - (size_t)(slash - path.p)};
    return put(&u->path, path) ? NULL : "a bad escape in the path";
}

static const char *one_read(struct url *u, struct slice s) {
    static const struct {
        const char *scheme;
        const char *(*read)(struct url *u, struct slice rest);
    } schemes[] = {{"redis://", tcp_read}, {"larder://", tcp_read}, {"unix://", unix_read}, {"redis+unix://", unix_read}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i].scheme);
        if (s.n >= n && !strncasecmp(s.p, schemes[i].scheme, n)) return schemes[i].read(u, (struct slice){s.p + n, s.n - n});
    }
    return "none of redis://, unix:// and redis+unix://";
}

bool url_list_parse(struct url_list *list, const char *text, char *error, size_t error_size) {
    *list = (struct url_list){NULL, 0};
    while (*(text += strspn(text, ", \t\n"))) {
        struct slice s = {text, strcspn(text, ", \t\n")};
        text += s.n;
        list->url = mem_realloc(MEM_MISC, list->url, (list->n + 1) * sizeof *list->url);
        struct url *u = &list->url[list->n++];
        *u = (struct url){.db = 0};
        const char *wrong = one_read(u, s);
        if (!wrong) continue;
        snprintf(error, error_size, "URL %zu has %s", list->n, wrong); /* not its text: there may be a password in it */
        url_list_free(list);
        return false;
    }
    if (!list->n) snprintf(error, error_size, "no URL");
    return list->n > 0;
}

void url_list_free(struct url_list *list) {
    for (size_t i = 0; i < list->n; i++) {
        struct url *u = &list->url[i];
        char *texts[] = {u->host, u->port, u->path, u->user, u->password};
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) mem_free(MEM_MISC, texts[t]);
    }
    mem_free(MEM_MISC, list->url);
    *list = (struct url_list){NULL, 0};
}
