//! A host: a thread in a network namespace of its own, which does what it is told.

use std::process::Command;
use std::sync::mpsc;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, gettid};

type Task = Box<dyn FnOnce() + Send>;

pub(crate) struct Host {
    tasks: mpsc::Sender<Task>,
    /// Of the thread: names its namespace to others.
    pub(crate) thread: Pid,
}

impl Host {
    pub(crate) fn new(name: &str) -> Self {
        let (tasks, to_do) = mpsc::channel::<Task>();
        let (tell, told) = mpsc::channel();
        let body = move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of its own: this test needs root");
            tell.send(gettid()).unwrap();
            to_do.into_iter().for_each(|task| task());
        };
        thread::Builder::new().name(name.to_owned()).spawn(body).unwrap();
        let thread = told.recv().expect("a network namespace of its own: this test needs root");
        let host = Self { tasks, thread };
        host.ip("link set lo up");
        host
    }

    /// Does something there. Sockets that are opened stay there.
    pub(crate) fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        self.tasks
            .send(Box::new(move || {
                // Nobody waits if the test has failed meanwhile.
                let _ = tell.send(task());
            }))
            .unwrap();
        told.recv().expect("the task has failed; its message is above")
    }

    pub(crate) fn ip(&self, command: &str) {
        let command = command.to_owned();
        self.run(move || {
            let output = Command::new("ip").args(command.split(' ')).output().unwrap();
            assert!(output.status.success(), "ip {command}: {}", String::from_utf8_lossy(&output.stderr));
        });
    }

    pub(crate) fn set(&self, knob: &str, value: &str) {
        let (path, value) = (format!("/proc/sys/net/{knob}"), value.to_owned());
        self.run(move || std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}")));
    }

    /// Joins two hosts: `(interface, addresses)` of either.
    pub(crate) fn join(&self, here: (&str, &[&str]), other: &Self, there: (&str, &[&str])) {
        self.ip(&format!("link add {} type veth peer name {} netns {}", here.0, there.0, other.thread));
        for (host, (interface, addresses)) in [(self, here), (other, there)] {
            for address in addresses {
                let nodad = if address.contains(':') { " nodad" } else { "" };
                host.ip(&format!("addr add {address} dev {interface}{nodad}"));
            }
            host.ip(&format!("link set {interface} up"));
        }
    }
}
