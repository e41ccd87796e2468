#include "base/log.h"
#include "base/match.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/larder-log-XXXXXX", path[64], moved[64];

static void begin(void) {
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/log.1", folder);
    cr_assert(log_file_set(path));
}

static void end(void) {
    cr_assert(log_file_set(""));
    cr_assert(log_fd() == STDOUT_FILENO);
    unlink(path);
    unlink(moved);
    rmdir(folder);
}

TestSuite(log, .init = begin, .fini = end);

static char *read_all(const char *name) {
    static char text[1 << 20];
    FILE *f = fopen(name, "r");
    cr_assert(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    return text;
}

Test(log, lines_look_like_those_of_redis) {
    log_level_set(LOG_DEBUG_);
    log_debug("one %d", 1);
    log_verbose("two");
    log_notice("three");
    log_warning("four");
    char expected[160], *line = read_all(path), *rest;
    static const char *const words[] = {". one 1", "- two", "[*] three", "# four"};
    for (int i = 0; i < 4; i++, line = rest + 1) {
        rest = strchr(line, '\n');
        cr_assert(rest);
        snprintf(expected, sizeof expected,
            "%d:M [0-3][0-9] [A-Z][a-z][a-z] 2??? [0-2][0-9]:[0-5][0-9]:[0-6][0-9].[0-9][0-9][0-9] %s",
            (int)getpid(), words[i]);
        cr_assert(match_glob(slice_of(expected), (struct slice){line, (size_t)(rest - line)}), "%s on %s",
            expected, line);
    }
    cr_assert(!*line);
}

Test(log, below_the_level_nothing_is_written) {
    log_level_set(LOG_WARNING_);
    cr_assert(log_level_get() == LOG_WARNING_);
    log_notice("quiet");
    cr_assert(!*read_all(path));
    log_warning("loud");
    cr_assert(strstr(read_all(path), "# loud\n"));
    log_level_set(LOG_NOTHING_);
    log_warning("not even this");
    cr_assert(!strstr(read_all(path), "this"));
}

Test(log, long_messages_are_cut_and_still_one_line) {
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    log_notice("%s", text);
    char *got = read_all(path);
    size_t n = strlen(got);
    cr_assert(n > 1000 && n < 1100 && got[n - 1] == '\n' && strchr(got, '\n') == got + n - 1);
}

Test(log, a_file_that_was_moved_is_opened_anew) {
    log_notice("before");
    cr_assert(!rename(path, moved));
    log_notice("still there");
    cr_assert(log_reopen());
    log_notice("after");
    cr_assert(strstr(read_all(moved), "still there") && !strstr(read_all(moved), "after"));
    cr_assert(strstr(read_all(path), "after") && !strstr(read_all(path), "before"));
}

Test(log, a_file_that_cannot_be_opened_changes_nothing) {
    cr_assert(!log_file_set("/nowhere/at/all"));
    log_notice("kept");
    cr_assert(strstr(read_all(path), "kept"));
    cr_assert(!rename(path, moved) && !mkdir(path, 0700));
    cr_assert(!log_reopen());
    log_notice("kept too");
    cr_assert(!rmdir(path));
    cr_assert(strstr(read_all(moved), "kept too"));
}

static void *chatter(void *arg) {
    for (int i = 0; i < 500; i++) log_notice("%s %d end", (char *)arg, i);
    return NULL;
}

Test(log, lines_of_threads_do_not_mix) {
    pthread_t t[4];
    static char names[4][8] = {"aaaaaa", "bbbbbb", "cccccc", "dddddd"};
    for (int i = 0; i < 4; i++) cr_assert(!pthread_create(&t[i], NULL, chatter, names[i]));
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    int lines = 0;
    for (char *line = strtok(read_all(path), "\n"); line; line = strtok(NULL, "\n"), lines++)
        cr_assert(match_glob(SLICE("*:M * [*] ?????? * end"), slice_of(line)), "%s", line);
    cr_assert(lines == 2000);
}

Test(log, syslog_beside_the_file) {
    log_syslog_set(true, "larder-test", 8);
    log_notice("both");
    log_syslog_set(false, NULL, 0);
    log_notice("file only");
    cr_assert(strstr(read_all(path), "both") && strstr(read_all(path), "file only"));
}
