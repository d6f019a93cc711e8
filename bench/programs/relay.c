/* relay: the least that a proxy on sockets can do, as the floor to compare the others with.
 *
 *     relay BACKEND_PORT
 *
 * It listens on a free port of 127.0.0.1, prints that port, opens one connection to the backend (also on 127.0.0.1)
 * for each that it accepts, and copies bytes both ways. It reads no HTTP, matches nothing and logs nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "loopback.h"

enum { CHUNK_BYTES = 64 * 1024 };

/* One socket of a pair. `unsent` holds what was read from the partner and did not fit into this socket's send buffer.
 * While it is not empty the partner is not read, so a slow reader slows its sender down and memory stays bounded. */
struct side {
	int partner; /* -1: not open */
	char *unsent;
	size_t unsent_length;
};

static struct side sides[MAX_FDS];
static int epoll_fd;

/* Watches a socket for what its pair's state calls for. */
static void watch_side(int operation, int fd)
{
	uint32_t readable = sides[sides[fd].partner].unsent ? 0 : EPOLLIN;
	uint32_t writable = sides[fd].unsent ? EPOLLOUT : 0;
	watch(epoll_fd, operation, fd, readable | writable);
}

static void watch_pair(int fd)
{
	watch_side(EPOLL_CTL_MOD, fd);
	watch_side(EPOLL_CTL_MOD, sides[fd].partner);
}

static void close_side(int fd)
{
	free(sides[fd].unsent);
	sides[fd] = (struct side){.partner = -1};
	close(fd);
}

static void close_pair(int fd)
{
	int partner = sides[fd].partner;
	close_side(fd);
	close_side(partner);
}

/* Keeps what `fd` did not take. False where memory is out. */
static bool hold_back(int fd, const char *bytes, size_t length)
{
	sides[fd].unsent = malloc(length);
	if (!sides[fd].unsent)
		return false;
	memcpy(sides[fd].unsent, bytes, length);
	sides[fd].unsent_length = length;
	watch_pair(fd);
	return true;
}

/* Copies one chunk from `fd` to its partner. False where either connection is over. */
static bool copy_chunk(int fd)
{
	static char chunk[CHUNK_BYTES];
	int partner = sides[fd].partner;
	ssize_t length = read(fd, chunk, sizeof chunk);
	if (length <= 0)
		return length < 0 && errno == EAGAIN;
	ssize_t sent = write(partner, chunk, (size_t)length);
	if (sent < 0 && errno != EAGAIN)
		return false;
	if (sent < 0)
		sent = 0;
	return sent == length || hold_back(partner, chunk + sent, (size_t)(length - sent));
}

/* Sends what was held back, and has the partner read again once all is out. False where the connection is over. */
static bool send_held(int fd)
{
	struct side *side = &sides[fd];
	ssize_t sent = write(fd, side->unsent, side->unsent_length);
	if (sent < 0)
		return errno == EAGAIN;
	side->unsent_length -= (size_t)sent;
	memmove(side->unsent, side->unsent + sent, side->unsent_length);
	if (side->unsent_length > 0)
		return true;
	free(side->unsent);
	side->unsent = NULL;
	watch_pair(fd);
	return true;
}

/* False where the pair is to be closed. */
static bool forward(int fd, uint32_t events)
{
	if (events & EPOLLOUT && !send_held(fd))
		return false;
	if (events & EPOLLIN)
		return copy_chunk(fd);
	return !(events & (EPOLLHUP | EPOLLERR));
}

/* Connects while the socket still blocks: on loopback that takes no time, and there is no half-open state to keep. */
static int connect_to_backend(const struct sockaddr_in *backend)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)backend, sizeof *backend) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("relay: cannot connect to the backend");
	return fd;
}

static void accept_all(int listener, const struct sockaddr_in *backend)
{
	int client;
	while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		int upstream = connect_to_backend(backend);
		if (client >= MAX_FDS || upstream >= MAX_FDS) {
			close(client);
			close(upstream);
			continue;
		}
		sides[client].partner = upstream;
		sides[upstream].partner = client;
		send_without_delay(client);
		send_without_delay(upstream);
		watch_side(EPOLL_CTL_ADD, client);
		watch_side(EPOLL_CTL_ADD, upstream);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: relay BACKEND_PORT\n");
		return 2;
	}
	struct sockaddr_in backend = loopback((uint16_t)atoi(argv[1]));
	for (int fd = 0; fd < MAX_FDS; fd++)
		sides[fd].partner = -1;
	epoll_fd = epoll_create1(0);
	int listener = listen_on_free_port();
	watch(epoll_fd, EPOLL_CTL_ADD, listener, EPOLLIN);
	for (;;) {
		struct epoll_event events[MAX_EVENTS];
		int ready = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);
		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd;
			if (fd == listener)
				accept_all(listener, &backend);
			else if (sides[fd].partner >= 0 && /* else closed by an earlier event of this batch */
				 !forward(fd, events[i].events))
				close_pair(fd);
		}
	}
}
