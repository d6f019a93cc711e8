/* What the benchmark's C programs share: a listener, by default on a free loopback port, and epoll registration. */
#ifndef BENCH_LOOPBACK_H
#define BENCH_LOOPBACK_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	MAX_FDS = 16384, /* connections beyond this are refused */
	MAX_EVENTS = 256,
};

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Listens, and prints the port on a line of its own for the harness to read. */
static inline int listen_at(struct sockaddr_in address)
{
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		die("cannot listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* On a port that the kernel picks. */
static inline int listen_on_free_port(void)
{
	return listen_at(loopback(0));
}

static inline void send_without_delay(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

/* Adds `fd` to the epoll set (EPOLL_CTL_ADD) or changes what it is watched for (EPOLL_CTL_MOD). */
static inline void watch(int epoll_fd, int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	if (epoll_ctl(epoll_fd, operation, fd, &event) < 0)
		die("epoll_ctl");
}

#endif
