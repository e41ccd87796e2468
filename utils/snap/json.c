#include "json.h"

static void quoted(struct json *j, struct slice s) {
    fputc('"', j->to);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') fprintf(j->to, "\\%c", c);
        else if (c < 32 || c > 126) fprintf(j->to, "\\u%04x", c);
        else fputc(c, j->to);
    }
    fputc('"', j->to);
}

static void begin(struct json *j, const char *name) {
    if (j->more) fputs(", ", j->to);
    j->more = true;
    if (!name) return;
    quoted(j, slice_of(name));
    fputs(": ", j->to);
}

void json_open(struct json *j, const char *name, char how) {
    begin(j, name);
    fputc(how, j->to);
    j->more = false;
}

void json_close(struct json *j, char how) {
    fputc(how, j->to);
    j->more = true;
}

void json_number(struct json *j, const char *name, uint64_t v) {
    begin(j, name);
    fprintf(j->to, "%" PRIu64, v);
}

void json_text(struct json *j, const char *name, struct slice s) {
    begin(j, name);
    quoted(j, s);
}

void json_bool(struct json *j, const char *name, bool v) {
    begin(j, name);
    fputs(v ? "true" : "false", j->to);
}
