// The program of a pod's own container: it holds the pod's namespaces, and reaps processes that nobody waits for.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(int signal_number)
{
	(void)signal_number;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void end(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

int main(void)
{
	signal(SIGINT, end);
	signal(SIGTERM, end);
	signal(SIGCHLD, reap);
	for (;;)
		pause();
}
