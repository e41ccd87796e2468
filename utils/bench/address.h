/* address: connects to a server that is named by a port on 127.0.0.1 or by the path of a Unix socket.
 *
 * Thread rule: pure functions. The caller owns the descriptor. For the measuring tools only.
 */
#ifndef LARDER_BENCH_ADDRESS_H
#define LARDER_BENCH_ADDRESS_H

int address_connect(const char *address); /* a connected socket, or -1 with errno */

#endif
