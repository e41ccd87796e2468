/* larderd: see server.h for what it is made of, conf.h for its command line. */
#include "base/clock.h"
#include "command/command.h"
#include "server/server.h"

#include <locale.h>

int main(int argc, char **argv) {
    struct conf *conf;
    struct server server;
    int status = 0;
    setlocale(LC_COLLATE, "");
    clock_start();
    command_start();
    if (!conf_start(argc, argv, &conf, &status)) return status;
    bool ok = server_open(&server, conf, argc, argv);
    conf_free(conf);
    if (ok) server_run(&server);
    server_close(&server);
    return ok ? 0 : 1;
}
