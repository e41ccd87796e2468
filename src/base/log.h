/* log: lines for the admin, in Redis's form: "PID:M 21 Nov 2026 05:19:03.123 * text".
 *
 * One log a process. Below the level nothing is formatted. Destinations: standard output, a file (opened again by
 * log_reopen, as logrotate wants), syslog too. Thread rule: any thread; a line is one write. Messages are cut at 1 KB.
 */
#ifndef LARDER_BASE_LOG_H
#define LARDER_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG_, LOG_VERBOSE_, LOG_NOTICE_, LOG_WARNING_, LOG_NOTHING_ };

void log_level_set(enum log_level level);
enum log_level log_level_get(void);
/* Empty: standard output. Returns false with errno where the file cannot be opened; the old destination then stays. */
bool log_file_set(const char *path);
bool log_reopen(void);
void log_syslog_set(bool on, const char *ident, int facility);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
int log_fd(void); /* for the crash handler, which may only write(2) */

#define log_debug(...) log_write(LOG_DEBUG_, __VA_ARGS__)
#define log_verbose(...) log_write(LOG_VERBOSE_, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE_, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING_, __VA_ARGS__)

#endif
