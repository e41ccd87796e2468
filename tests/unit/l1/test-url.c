#include "l1/url.h"

#include <criterion/criterion.h>
#include <string.h>

static struct url_list parsed(const char *text) {
    struct url_list list;
    char error[128] = "";
    cr_assert(url_list_parse(&list, text, error, sizeof error), "%s: %s", text, error);
    return list;
}

Test(url, all_its_parts) {
    struct url_list l = parsed("redis://user:p%40ss@host:7000/3, redis://[::1]:1/ unix:///tmp/a%20b?db=2 redis+unix://:secret@/x redis://");
    cr_assert_eq(l.n, 5);
    cr_assert_str_eq(l.url[0].host, "host");
    cr_assert_str_eq(l.url[0].port, "7000");
    cr_assert_str_eq(l.url[0].user, "user");
    cr_assert_str_eq(l.url[0].password, "p@ss");
    cr_assert_eq(l.url[0].db, 3);
    cr_assert_str_eq(l.url[1].host, "::1");
    cr_assert_str_eq(l.url[1].port, "1");
    cr_assert_str_eq(l.url[2].path, "/tmp/a b");
    cr_assert_eq(l.url[2].db, 2);
    cr_assert_null(l.url[2].host);
    cr_assert_str_eq(l.url[3].path, "/x");
    cr_assert_null(l.url[3].user);
    cr_assert_str_eq(l.url[3].password, "secret");
    cr_assert_str_eq(l.url[4].host, "127.0.0.1");
    cr_assert_str_eq(l.url[4].port, "6379");
    url_list_free(&l);
}

Test(url, what_is_wrong) {
    const char *bad[] = {"", " , ", "http://x", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://h/x", "redis://h/-1", "redis://u@h",
        "redis://[::1", "redis://[::1]x", "redis://h?x=1", "unix://", "unix://host/path", "unix:///p?database=1", "redis://%0", "redis://a%00b",
        "redis://h redis://h:x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct url_list list;
        char error[128] = "";
        cr_assert_not(url_list_parse(&list, bad[i], error, sizeof error), "%s", bad[i]);
        cr_assert(*error && !list.n);
    }
}

Test(url, an_error_does_not_tell_the_password) {
    struct url_list list;
    char error[128] = "";
    cr_assert_not(url_list_parse(&list, "redis://u:secret@h:x", error, sizeof error));
    cr_assert_null(strstr(error, "secret"));
}
