/* backend: the HTTP/1.1 server behind every proxy of the benchmark.
 *
 *     backend COUNTER_FILE
 *
 * It listens on a free port of 127.0.0.1 and prints that port. A GET of a path whose last segment is a number, such as
 * /r7/100, is answered with that many bytes. It does as little else as possible, for it shares a core with the load
 * generator and must not be what limits a proxy. It is no general web server: requests have no body, and a request
 * that it does not understand ends the connection, which the client then counts as an error.
 *
 * COUNTER_FILE is mapped into memory and holds one native 64-bit integer: responses completely sent so far. The
 * harness reads it together with the proxy's CPU time, so both belong to the same moment whatever the load generator
 * reports.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loopback.h"

enum {
	REQUEST_BYTES = 8192, /* the longest request head that is understood */
	BODY_BYTES = 1 << 20, /* the largest body that can be asked for */
};

struct connection {
	size_t received;      /* bytes of `request` that are filled */
	size_t sent;          /* bytes of the current response that are out */
	size_t body;          /* body length of the current response */
	bool responding;      /* a response is under way; nothing is read until it is out */
	bool awaits_writable; /* the socket was full, epoll watches for EPOLLOUT */
	char request[REQUEST_BYTES];
};

static struct connection *connections[MAX_FDS];
static char body_bytes[BODY_BYTES];
static _Atomic uint64_t *responses;
static int epoll_fd;

static void hang_up(int fd)
{
	free(connections[fd]);
	connections[fd] = NULL;
	close(fd);
}

/* The number at the end of the path in "GET /some/path/123 HTTP/1.1"; false where there is none or it is too large. */
static bool wanted_length(const char *request, size_t *length)
{
	if (strncmp(request, "GET /", 5) != 0)
		return false;
	const char *end = strpbrk(request + 4, " ?\r");
	const char *digits = end;
	while (digits && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	if (!digits || digits == end || digits[-1] != '/')
		return false;
	*length = strtoul(digits, NULL, 10);
	return *length <= BODY_BYTES;
}

/* The response head for a body of `length` bytes. A run asks for one length only, so the last one is kept. */
static struct iovec response_head(size_t length)
{
	static char head[160];
	static size_t head_length;
	static size_t last_length = SIZE_MAX;
	if (length != last_length) {
		head_length = (size_t)snprintf(head, sizeof head,
					       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
					       "Cache-Control: no-store\r\nContent-Length: %zu\r\n\r\n",
					       length);
		last_length = length;
	}
	return (struct iovec){head, head_length};
}

/* Takes the next whole request off the buffer. False where the request is not one that is served here. */
static bool take_request(struct connection *c)
{
	char *end = memmem(c->request, c->received, "\r\n\r\n", 4);
	if (!end)
		return c->received < REQUEST_BYTES - 1;
	*end = '\0';
	if (!wanted_length(c->request, &c->body))
		return false;
	size_t used = (size_t)(end + 4 - c->request);
	memmove(c->request, c->request + used, c->received - used);
	c->received -= used;
	c->sent = 0;
	c->responding = true;
	return true;
}

/* Sends what is left of the response. False where the connection is lost. */
static bool respond(int fd, struct connection *c)
{
	struct iovec head = response_head(c->body);
	size_t total = head.iov_len + c->body;
	while (c->sent < total) {
		size_t head_sent = c->sent < head.iov_len ? c->sent : head.iov_len;
		size_t body_sent = c->sent - head_sent;
		struct iovec parts[2] = {
			{(char *)head.iov_base + head_sent, head.iov_len - head_sent},
			{body_bytes + body_sent, c->body - body_sent},
		};
		ssize_t n = writev(fd, parts, 2);
		if (n < 0 && errno == EAGAIN) {
			watch(epoll_fd, EPOLL_CTL_MOD, fd, EPOLLOUT);
			c->awaits_writable = true;
			return true;
		}
		if (n < 0)
			return false;
		c->sent += (size_t)n;
	}
	c->responding = false;
	(*responses)++;
	if (c->awaits_writable)
		watch(epoll_fd, EPOLL_CTL_MOD, fd, EPOLLIN);
	c->awaits_writable = false;
	return true;
}

/* Reads once: the sockets are level-triggered, what is left is reported again. False where the connection is over. */
static bool receive(int fd, struct connection *c)
{
	ssize_t n = read(fd, c->request + c->received, REQUEST_BYTES - 1 - c->received);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	c->received += (size_t)n;
	return true;
}

static bool serve(int fd, struct connection *c)
{
	if (!c->responding && !receive(fd, c))
		return false;
	do {
		if (!c->responding && !take_request(c))
			return false;
		if (c->responding && !respond(fd, c))
			return false;
	} while (!c->responding && c->received > 0 && memmem(c->request, c->received, "\r\n\r\n", 4));
	return true;
}

static void accept_all(int listener)
{
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct connection *c = fd < MAX_FDS ? calloc(1, sizeof *c) : NULL;
		if (!c) {
			close(fd);
			continue;
		}
		connections[fd] = c;
		send_without_delay(fd);
		watch(epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN);
	}
}

static void map_counter(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof *responses) < 0)
		die(path);
	responses = mmap(NULL, sizeof *responses, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (responses == MAP_FAILED)
		die(path);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: backend COUNTER_FILE\n");
		return 2;
	}
	map_counter(argv[1]);
	memset(body_bytes, 'x', sizeof body_bytes);
	epoll_fd = epoll_create1(0);
	int listener = listen_on_free_port();
	watch(epoll_fd, EPOLL_CTL_ADD, listener, EPOLLIN);
	for (;;) {
		struct epoll_event events[MAX_EVENTS];
		int ready = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);
		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd;
			if (fd == listener)
				accept_all(listener);
			else if (!serve(fd, connections[fd]))
				hang_up(fd);
		}
	}
}
