/* one_answer: the server behind the balancers of layer 4, for what it costs to begin and end a connection.
 *
 *     one_answer PORT COUNTER_FILE
 *
 * It listens on PORT of all addresses, prints that port, and takes whatever comes first on a connection for a request:
 * it answers with 100 bytes of HTTP that say that the connection ends, and leaves it to the client to end it: who closes
 * first has to keep its end's port for a minute, and there are many clients, but only one port here. COUNTER_FILE is
 * mapped into memory and holds one native 64-bit integer: connections served so far.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loopback.h"

static const char answer[] =
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\n"
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

static _Atomic uint64_t *served;

static void map_counter(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof *served) < 0)
		die(path);
	served = mmap(NULL, sizeof *served, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (served == MAP_FAILED)
		die(path);
	close(fd);
}

/* False where the connection is over. The answer fits into the send buffer of a new connection. */
static bool serve(int fd)
{
	char request[4096];
	ssize_t length = read(fd, request, sizeof request);
	if (length <= 0)
		return length < 0 && errno == EAGAIN;
	if (write(fd, answer, sizeof answer - 1) != (ssize_t)(sizeof answer - 1))
		return false;
	(*served)++;
	return true;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: one_answer PORT COUNTER_FILE\n");
		return 2;
	}
	map_counter(argv[2]);
	int epoll_fd = epoll_create1(0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
	int listener = listen_at(address);
	watch(epoll_fd, EPOLL_CTL_ADD, listener, EPOLLIN);
	for (;;) {
		struct epoll_event events[MAX_EVENTS];
		int ready = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);
		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd, client;
			if (fd != listener) {
				if (!serve(fd))
					close(fd);
				continue;
			}
			while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
				watch(epoll_fd, EPOLL_CTL_ADD, client, EPOLLIN);
		}
	}
}
