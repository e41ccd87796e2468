/* What was counted as one JSON object's members, for programs: names never change, new ones may come. */
#include "inspect_inside.h"
#include "json.h"

static void sum(struct json *j, const struct inspect_sum *s) {
    json_number(j, "keys", s->keys);
    json_number(j, "bytes", s->bytes);
    json_number(j, "with_ttl", s->with_ttl);
    json_number(j, "expired", s->expired);
}

static void named(struct json *j, const char *name, const struct inspect_sum *s) {
    json_open(j, name, '{');
    sum(j, s);
    json_close(j, '}');
}

static void prefixes(struct json *j, const struct inspect *p, unsigned top) {
    json_open(j, "prefixes", '[');
    for (size_t i = 0; i < p->prefixes && i < top; i++) {
        json_open(j, NULL, '{');
        json_text(j, "prefix", (struct slice){p->prefix[i].text, p->prefix[i].n});
        sum(j, &p->prefix[i].sum);
        json_close(j, '}');
    }
    json_close(j, ']');
    named(j, "other_prefixes", &p->others.sum);
}

static void largest(struct json *j, const struct inspect *p, unsigned top) {
    json_open(j, "largest", '[');
    for (size_t i = 0; i < p->larges && i < top; i++) {
        json_open(j, NULL, '{');
        json_text(j, "key", buf_slice(&p->large[i].key));
        json_number(j, "db", p->large[i].db);
        json_text(j, "type", slice_of(value_type_name(p->large[i].type)));
        json_number(j, "bytes", p->large[i].bytes);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void lives(struct json *j, const struct inspect *p) {
    json_open(j, "ttl", '[');
    for (size_t i = 0; i < INSPECT_LIVES; i++) {
        json_open(j, NULL, '{');
        if (inspect_life(i) != INT64_MAX) json_number(j, "up_to_seconds", (uint64_t)inspect_life(i));
        json_number(j, "keys", p->ttl[i]);
        json_close(j, '}');
    }
    json_close(j, ']');
}

void inspect_json(struct inspect *p, struct json *j, unsigned top) {
    char name[16];
    inspect_sort(p);
    named(j, "all", &p->all);
    json_open(j, "types", '{');
    for (int t = 0; t < VALUE_TYPES; t++)
        if (p->type[t].keys) named(j, value_type_name((enum value_type)t), &p->type[t]);
    json_close(j, '}');
    json_open(j, "databases", '{');
    for (unsigned d = 0; d < INSPECT_DATABASES; d++) {
        snprintf(name, sizeof name, "%u", d);
        if (p->db[d].keys) named(j, name, &p->db[d]);
    }
    json_close(j, '}');
    lives(j, p);
    prefixes(j, p, top);
    largest(j, p, top);
    json_open(j, "heat", '['); /* the hottest first */
    for (unsigned i = RECORD_HEATS; i--;) json_number(j, NULL, p->heat[i]);
    json_close(j, ']');
}
