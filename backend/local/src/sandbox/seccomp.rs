//! Which system calls a command may make.
//!
//! The policy is Docker's default for a container without further capabilities: a list of calls that are allowed, some only
//! with certain arguments; everything else fails with `EPERM`. What is newer than the list fails with `ENOSYS`, so that a
//! library falls back to what it used before.

use std::str::FromStr;
use std::sync::OnceLock;

/// Calls that are allowed with any arguments, on whichever architecture has them.
const ALLOWED: &str = "
    accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 arm_sync_file_range bind breakpoint brk
    cacheflush cachestat capget capset chdir chmod chown chown32 chroot clock_adjtime clock_adjtime64 clock_getres
    clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect
    copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
    epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
    fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64
    fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync
    ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list
    get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups
    getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32
    getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32
    getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
    io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill
    landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen
    listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise
    map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall
    mmap mmap2 modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
    mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap
    name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe
    pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64
    process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read
    readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr
    removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
    rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
    sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile
    sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address set_tls setfsgid setfsgid32
    setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32
    setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32
    setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn
    socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range
    sync_file_range2 syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
    timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
    timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat
    utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
";

/// Arguments of `personality` that are allowed: the default, 32 bits, no randomisation, both, and to ask.
const PERSONALITIES: [u32; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Flags of `clone` that need `CAP_SYS_ADMIN`: those for new namespaces.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP) as u32;

/// The filter for a command, made once.
pub(super) fn filter() -> &'static [libc::sock_filter] {
    static MADE: OnceLock<Vec<libc::sock_filter>> = OnceLock::new();
    MADE.get_or_init(build)
}

/// The number of a call on an architecture.
type Number = fn(&str) -> Option<u32>;

struct Arch {
    /// `AUDIT_ARCH_*`.
    audit: u32,
    number: Number,
    /// The highest number that any call has; higher ones are newer than we know.
    highest: u32,
}

macro_rules! arch {
    ($module:ident, $audit:literal) => {
        Arch {
            audit: $audit,
            number: |name| syscalls::$module::Sysno::from_str(name).ok().map(|call| call.id() as u32),
            highest: syscalls::$module::Sysno::iter()
                .map(|call| call.id() as u32)
                .filter(|n| *n < 2048)
                .max()
                .unwrap_or(0),
        }
    };
}

/// The architectures whose programs run here, our own first.
fn architectures() -> Vec<Arch> {
    #[cfg(target_arch = "x86_64")]
    return vec![arch!(x86_64, 0xc000_003e), arch!(x86, 0x4000_0003)];
    #[cfg(target_arch = "aarch64")]
    return vec![arch!(aarch64, 0xc000_00b7), arch!(arm, 0x4000_0028)];
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const DENY: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// Offsets in `struct seccomp_data`; arguments are 64 bits, of which the lower half comes first on the machines we know.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

fn op(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn load(offset: u32) -> libc::sock_filter {
    op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn give(action: u32) -> libc::sock_filter {
    op(libc::BPF_RET | libc::BPF_K, action)
}

/// `then` if the value compares so; goes on behind it otherwise. `then` must not go on itself.
fn only_if(code: u32, k: u32, then: Vec<libc::sock_filter>) -> Vec<libc::sock_filter> {
    // Jumps on a condition reach 255 instructions, others any number.
    let mut out = vec![
        libc::sock_filter { jt: 1, ..op(libc::BPF_JMP | code | libc::BPF_K, k) },
        op(libc::BPF_JMP | libc::BPF_JA, then.len() as u32),
    ];
    out.extend(then);
    out
}

fn build() -> Vec<libc::sock_filter> {
    let mut out = vec![load(ARCHITECTURE)];
    for arch in architectures() {
        out.extend(only_if(libc::BPF_JEQ, arch.audit, policy(&arch)));
    }
    out.push(give(libc::SECCOMP_RET_KILL_PROCESS));
    out
}

fn policy(arch: &Arch) -> Vec<libc::sock_filter> {
    let mut out = vec![load(NUMBER)];
    let mut when = |name: &str, then: Vec<libc::sock_filter>| {
        if let Some(number) = (arch.number)(name) {
            out.extend(only_if(libc::BPF_JEQ, number, then));
        }
    };
    when("clone", {
        let mut then = vec![load(FIRST_ARGUMENT)];
        then.extend(only_if(libc::BPF_JSET, NAMESPACES, vec![give(DENY)]));
        then.push(give(ALLOW));
        then
    });
    // Its flags lie in memory, where a filter cannot look.
    when("clone3", vec![give(UNKNOWN)]);
    when("personality", {
        let mut then = vec![load(FIRST_ARGUMENT)];
        for allowed in PERSONALITIES {
            then.extend(only_if(libc::BPF_JEQ, allowed, vec![give(ALLOW)]));
        }
        then.push(give(DENY));
        then
    });
    when("socket", {
        let mut then = vec![load(FIRST_ARGUMENT)];
        for denied in [libc::AF_VSOCK, libc::AF_ALG] {
            then.extend(only_if(libc::BPF_JEQ, denied as u32, vec![give(DENY)]));
        }
        then.push(give(ALLOW));
        then
    });
    // 0x4000_0000 and more are calls of the x32 interface, which nobody uses.
    let mut steps = vec![(0, DENY), (arch.highest + 1, UNKNOWN)];
    for number in ALLOWED.split_ascii_whitespace().filter_map(arch.number) {
        steps.push((number, ALLOW));
        steps.push((number + 1, DENY));
    }
    // Of what begins at one number the most permissive holds, so that neighbours are one range.
    steps.sort_unstable_by_key(|(at, action)| (*at, *action != UNKNOWN, *action != ALLOW));
    steps.dedup_by_key(|(at, _)| *at);
    steps.dedup_by_key(|(_, action)| *action);
    search(&steps, &mut out);
    out
}

/// The action of the last range that begins at or below the number, by halves.
fn search(ranges: &[(u32, u32)], out: &mut Vec<libc::sock_filter>) {
    match ranges {
        [] => {}
        [(_, action)] => out.push(give(*action)),
        _ => {
            let (low, high) = ranges.split_at(ranges.len() / 2);
            let mut then = Vec::new();
            search(high, &mut then);
            out.extend(only_if(libc::BPF_JGE, high[0].0, then));
            search(low, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a filter as the kernel does.
    fn run(arch: u32, number: u32, argument: u32) -> u32 {
        let (mut at, mut value) = (0, 0);
        let code = filter();
        loop {
            let i = code[at];
            let (class, kind) = (u32::from(i.code) & 7, u32::from(i.code) & 0xf0);
            at += 1;
            match class {
                libc::BPF_LD => {
                    value = match i.k {
                        NUMBER => number,
                        ARCHITECTURE => arch,
                        _ => argument,
                    }
                }
                libc::BPF_RET => return i.k,
                _ if kind == libc::BPF_JA => at += i.k as usize,
                _ => {
                    let holds = match kind {
                        libc::BPF_JEQ => value == i.k,
                        libc::BPF_JGE => value >= i.k,
                        _ => value & i.k != 0,
                    };
                    at += usize::from(if holds { i.jt } else { i.jf });
                }
            }
        }
    }

    #[test]
    fn allows_what_it_lists() {
        assert!(filter().len() < 4096);
        for arch in architectures() {
            let allowed: std::collections::HashSet<u32> =
                ALLOWED.split_ascii_whitespace().filter_map(arch.number).collect();
            let special = ["clone", "clone3", "personality", "socket"].map(|name| (arch.number)(name));
            for number in 0..arch.highest + 100 {
                if special.contains(&Some(number)) {
                    continue;
                }
                let expected = match number {
                    n if allowed.contains(&n) => ALLOW,
                    n if n > arch.highest => UNKNOWN,
                    _ => DENY,
                };
                assert_eq!(run(arch.audit, number, 0), expected, "call {number} of {:x}", arch.audit);
            }
            let number = |name| (arch.number)(name).unwrap();
            assert_eq!(run(arch.audit, number("clone"), libc::CLONE_VM as u32), ALLOW);
            assert_eq!(run(arch.audit, number("clone"), libc::CLONE_NEWUSER as u32), DENY);
            assert_eq!(run(arch.audit, number("clone3"), 0), UNKNOWN);
            assert_eq!(run(arch.audit, number("personality"), 8), ALLOW);
            assert_eq!(run(arch.audit, number("personality"), 1), DENY);
            assert_eq!(run(arch.audit, number("socket"), libc::AF_INET as u32), ALLOW);
            assert_eq!(run(arch.audit, number("socket"), libc::AF_VSOCK as u32), DENY);
            assert_eq!(run(arch.audit, 0x4000_0001, 0), UNKNOWN);
            assert_eq!(run(arch.audit, number("mount"), 0), DENY);
        }
        assert_eq!(run(0x1234, 0, 0), libc::SECCOMP_RET_KILL_PROCESS);
    }
}
