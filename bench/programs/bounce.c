/* bounce: datagrams that go to a server and come back, as many as the way between takes.
 *
 *     bounce serve PORT
 *     bounce ask ADDRESS PORT SECONDS BYTES
 *
 * The client keeps 64 datagrams of that many bytes under way: each that comes back is sent again. So no queue
 * overflows, and what is measured is what is delivered, not how much can be thrown away. When nothing comes back for
 * 100 ms, all count as lost, and 64 new ones are sent. At the end the client prints how many came back, and how often
 * it had to begin anew. Both read and write in batches, for they must not be what limits a balancer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loopback.h"

enum {
	MOST_BYTES = 1500, /* of a datagram */
	UNDER_WAY = 64,
	PATIENCE_MICROSECONDS = 100000,
};

static char payloads[UNDER_WAY][MOST_BYTES];
static struct sockaddr_in peers[UNDER_WAY];
static struct iovec parts[UNDER_WAY];
static struct mmsghdr messages[UNDER_WAY];

/* What the client's datagrams begin with: how often it had begun anew when they were sent. */
static uint32_t generation;

/* The length of a sender's address is overwritten by each receipt. */
static void prepare(int with_address, size_t bytes)
{
	for (int i = 0; i < UNDER_WAY; i++) {
		parts[i] = (struct iovec){payloads[i], bytes};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
		if (with_address) {
			messages[i].msg_hdr.msg_name = &peers[i];
			messages[i].msg_hdr.msg_namelen = sizeof peers[i];
		}
	}
}

/* Waits for one datagram and takes what else is there. 0 where none came in time. */
static unsigned receive(int fd)
{
	int count = recvmmsg(fd, messages, UNDER_WAY, MSG_WAITFORONE, NULL);
	/* A refusal is told by ICMP, before the server is there for example. */
	if (count < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
		die("recvmmsg");
	return count < 0 ? 0 : (unsigned)count;
}

/* What the kernel does not take now is lost, as it would be on the way. */
static void send_all(int fd, unsigned count)
{
	unsigned sent = 0;
	while (sent < count) {
		int n = sendmmsg(fd, messages + sent, count - sent, 0);
		if (n <= 0)
			return;
		sent += (unsigned)n;
	}
}

static void serve(int fd)
{
	for (;;) {
		prepare(1, MOST_BYTES);
		unsigned count = receive(fd);
		for (unsigned i = 0; i < count; i++)
			parts[i].iov_len = messages[i].msg_len;
		send_all(fd, count);
	}
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Puts those first that are of this generation, and returns their number. The others have been given up. */
static unsigned not_given_up(unsigned count)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < count; i++)
		kept += memcmp(payloads[i], &generation, sizeof generation) == 0;
	for (unsigned i = 0; i < kept; i++)
		memcpy(payloads[i], &generation, sizeof generation);
	return kept;
}

/* Sends as many as may be under way. */
static void begin(int fd)
{
	generation++;
	for (int i = 0; i < UNDER_WAY; i++)
		memcpy(payloads[i], &generation, sizeof generation);
	send_all(fd, UNDER_WAY);
}

static void ask(int fd, double seconds, size_t bytes)
{
	unsigned long came_back = 0;
	double end = now() + seconds;
	prepare(0, bytes);
	begin(fd);
	while (now() < end) {
		unsigned count = receive(fd);
		came_back += count;
		if (count == 0)
			begin(fd);
		else
			send_all(fd, not_given_up(count));
	}
	printf("%lu came back, began anew %u times\n", came_back, generation - 1);
}

int main(int argc, char **argv)
{
	int server = argc == 3 && strcmp(argv[1], "serve") == 0;
	struct sockaddr_in address = {.sin_family = AF_INET};
	if (!server &&
	    (argc != 6 || strcmp(argv[1], "ask") != 0 || inet_pton(AF_INET, argv[2], &address.sin_addr) != 1)) {
		fprintf(stderr, "usage: bounce serve PORT | ask ADDRESS PORT SECONDS BYTES\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)atoi(argv[server ? 2 : 3]));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	if (server) {
		if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
			die("bind");
		serve(fd);
	}
	struct timeval patience = {.tv_usec = PATIENCE_MICROSECONDS};
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
		die("connect");
	size_t bytes = (size_t)atoi(argv[5]);
	if (bytes < sizeof generation || bytes > MOST_BYTES) {
		fprintf(stderr, "bounce: between 4 and 1500 bytes\n");
		return 2;
	}
	ask(fd, atof(argv[4]), bytes);
	return 0;
}
