//! What every command sees besides its root file system.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rbc_ir::{Exec, LinuxResources, Meta, NetMode, SecurityMode};
use rbc_source::execute;
use rustix::fs::{FileType, Mode};
use rustix::mount::MountAttrFlags;

use super::HOSTNAME;
use crate::error::{Fail, Result, failure};
use crate::fs::resolve;
use crate::mount::{bind, tmpfs};
use crate::sandbox::{PlanMount, What};
use crate::session::Reporter;
use crate::store::Store;
use crate::sys::mount_attr::{NODEV, NOEXEC, NOSUID, RDONLY};
use crate::sys::{in_user_namespace, random_name};

/// Devices, by name, major and minor number.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
const LINKS: [(&str, &str); 6] = [
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
];
/// What is hidden: it tells about the machine, or lets one do things to it.
const MASKED: [&str; 11] = [
    "proc/acpi",
    "proc/asound",
    "proc/interrupts",
    "proc/kcore",
    "proc/keys",
    "proc/latency_stats",
    "proc/sched_debug",
    "proc/scsi",
    "proc/timer_list",
    "sys/devices/virtual/powercap",
    "sys/firmware",
];
/// What is read-only.
const READ_ONLY: [&str; 5] = ["proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"];

/// The namespaces that a command gets.
pub(super) fn namespaces(exec: &Exec) -> u64 {
    let mut flags =
        libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP;
    if exec.network == NetMode::None {
        flags |= libc::CLONE_NEWNET;
    }
    flags as u64
}

/// `/proc`, `/sys` and `/dev`, in the order in which they are mounted. What the build mounts itself is left out.
pub(super) fn mounts(root: BorrowedFd, exec: &Exec) -> Result<Vec<PlanMount>> {
    let insecure = exec.security == SecurityMode::Insecure;
    let build = |at: &str| exec.mounts.iter().any(|m| crate::fs::clean(&m.dest) == Path::new(at));
    let make = || -> io::Result<Vec<PlanMount>> {
        let mut mounts = Vec::new();
        let mut add = |at: &str, what: io::Result<What>, attributes: u64| -> io::Result<()> {
            if !build(at) {
                // A link in the way leads to where it leads inside the root.
                let place = resolve(root, Path::new(at), true)?.path;
                mounts.push(PlanMount::new(what?, &place)?.restricted(attributes));
            }
            Ok(())
        };
        add("proc", Ok(What::Kernel(c"proc")), NOSUID | NODEV | NOEXEC)?;
        let sys_attributes = NOSUID | NODEV | NOEXEC | if insecure { 0 } else { RDONLY };
        // A user namespace may mount it only for a network of its own, and otherwise shows the machine's.
        let shown = in_user_namespace() && exec.network != NetMode::None;
        add(
            "sys",
            if shown { bind(Path::new("/sys")).map(|t| What::Tree(t, true)) } else { Ok(What::Kernel(c"sysfs")) },
            sys_attributes,
        )?;
        add("dev", devices(insecure).map(|t| What::Tree(t, true)), NOSUID)?;
        let memory = tmpfs(64 << 20, 0o1777, MountAttrFlags::empty()).map(|t| What::Tree(t, true));
        add("dev/shm", memory, NOSUID | NODEV | NOEXEC)?;
        add("dev/mqueue", Ok(What::Kernel(c"mqueue")), NOSUID | NODEV | NOEXEC)?;
        add("dev/pts", Ok(What::Terminals), NOSUID | NOEXEC)?;
        if in_user_namespace() {
            for (name, _, _) in DEVICES {
                let device = bind(&Path::new("/dev").join(name)).map(|t| What::Tree(t, false));
                add(&format!("dev/{name}"), device, 0)?;
            }
        }
        if !insecure {
            for path in MASKED.into_iter().filter(|path| !build(path)) {
                // The kernel of the sandbox is the machine's, so that the machine has the same ones.
                let Ok(there) = fs::metadata(Path::new("/").join(path)) else { continue };
                let mask = if there.is_dir() {
                    What::Tree(tmpfs(4096, 0o555, MountAttrFlags::empty())?, true)
                } else {
                    What::Tree(bind(Path::new("/dev/null"))?, false)
                };
                mounts.push(PlanMount::new(mask, Path::new(path))?.restricted(RDONLY).if_there());
            }
            for path in READ_ONLY {
                mounts.push(PlanMount::new(What::Again, Path::new(path))?.restricted(RDONLY).if_there());
            }
        }
        Ok(mounts)
    };
    make().or_fail(execute::SANDBOX, || "prepare /proc, /sys and /dev of a command".to_owned())
}

/// A small `/dev`, in memory.
fn devices(insecure: bool) -> io::Result<OwnedFd> {
    let dev = tmpfs(64 << 20, 0o755, MountAttrFlags::empty())?;
    for dir in ["pts", "shm", "mqueue"] {
        rustix::fs::mkdirat(&dev, dir, Mode::from_raw_mode(0o755))?;
    }
    let device = |name: &str, number: u64| -> io::Result<()> {
        rustix::fs::mknodat(&dev, name, FileType::CharacterDevice, Mode::from_raw_mode(0o666), number)?;
        Ok(rustix::fs::chmodat(&dev, name, Mode::from_raw_mode(0o666), rustix::fs::AtFlags::empty())?)
    };
    // Devices cannot be made in a user namespace: there the machine's are mounted.
    if !in_user_namespace() {
        for (name, major, minor) in DEVICES {
            device(name, rustix::fs::makedev(major, minor))?;
        }
        if insecure {
            for (name, major, minor) in [("fuse", 10, 229), ("kmsg", 1, 11), ("loop-control", 10, 237)] {
                device(name, rustix::fs::makedev(major, minor))?;
            }
        }
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &dev, name)?;
    }
    Ok(dev)
}

/// `/etc/hosts` and `/etc/resolv.conf`.
pub(super) fn names(store: &Store, root: BorrowedFd, exec: &Exec, files: &mut Vec<PathBuf>) -> Result<Vec<PlanMount>> {
    let hostname = if exec.meta.hostname.is_empty() { HOSTNAME } else { &exec.meta.hostname };
    let mut hosts = format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for host in &exec.meta.extra_hosts {
        let address: std::net::IpAddr = host.ip.parse().map_err(|_| {
            failure(execute::UNSUPPORTED, format!("`{}` is not an address", crate::error::show(&host.ip)))
        })?;
        if host.host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let message = format!("`{}` is not the name of a host", crate::error::show(&host.host));
            return Err(failure(execute::UNSUPPORTED, message));
        }
        hosts.push_str(&format!("{address}\t{}\n", host.host));
    }
    // Without a network there is nobody to ask.
    let resolvers = match exec.network {
        NetMode::None => Vec::new(),
        NetMode::Unset | NetMode::Host => fs::read("/etc/resolv.conf").unwrap_or_default(),
    };
    let mut mounts = Vec::new();
    for (at, bytes) in [("etc/hosts", hosts.as_bytes()), ("etc/resolv.conf", &resolvers)] {
        let build = exec.mounts.iter().any(|m| crate::fs::clean(&m.dest) == Path::new(at));
        if build {
            continue;
        }
        let mount = || -> io::Result<PlanMount> {
            let path = store.scratch();
            files.push(path.clone());
            fs::write(&path, bytes)?;
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
            let place = resolve(root, Path::new(at), true)?.path;
            Ok(PlanMount::new(What::Tree(bind(&path)?, false), &place)?.restricted(RDONLY))
        };
        let mut mount = mount;
        mounts.push(mount().or_fail(execute::SANDBOX, || format!("prepare /{at} of a command"))?);
    }
    Ok(mounts)
}

/// Makes a cgroup with the limits that are asked for, and gives the files by which the command joins it. Where we may not
/// make one, the user is told, and the command runs without limits.
pub(super) fn cgroups(meta: &Meta, report: &Reporter) -> Result<Vec<OwnedFd>> {
    let Some(limits) = &meta.linux_resources else { return Ok(Vec::new()) };
    match make_cgroups(limits) {
        Ok(joined) => Ok(joined),
        Err(e) => {
            let why = crate::error::reason(&e);
            report.warn(&format!("the limits of this step are not in force, because no cgroup can be made: {why}"));
            Ok(Vec::new())
        }
    }
}

fn make_cgroups(limits: &LinuxResources) -> io::Result<Vec<OwnedFd>> {
    sweep_cgroups();
    let base = Path::new("/sys/fs/cgroup");
    let memberships = fs::read_to_string("/proc/self/cgroup")?;
    // hierarchy:controllers:path
    let own = |controller: &str| {
        memberships.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            controllers.split(',').any(|c| c == controller).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let unified = base.join("cgroup.controllers").exists();
    let mut joined = Vec::new();
    let name = format!("rbc-{}-{}", std::process::id(), random_name());
    for (controller, settings) in settings(limits, unified) {
        if settings.is_empty() {
            continue;
        }
        let (above, own_path) = match unified {
            true => (base.to_owned(), own("").unwrap_or_default()),
            false => (
                base.join(controller),
                own(controller).ok_or_else(|| io::Error::other(format!("there is no `{controller}`")))?,
            ),
        };
        // Ours, or the one above: with the unified hierarchy a group with processes cannot have groups with limits.
        let parent = above.join(own_path);
        let parent =
            if unified { parent.parent().filter(|p| p.starts_with(base)).unwrap_or(base).to_owned() } else { parent };
        if unified {
            fs::write(parent.join("cgroup.subtree_control"), "+cpu +memory +cpuset")?;
        }
        let dir = parent.join(&name);
        fs::create_dir_all(&dir)?;
        for (file, value) in settings {
            fs::write(dir.join(file), value)?;
        }
        joined.push(OwnedFd::from(fs::OpenOptions::new().write(true).open(dir.join("cgroup.procs"))?));
        if unified {
            // All settings are in the one group.
            break;
        }
    }
    Ok(joined)
}

/// Cgroups of processes that are no more; one cannot be removed while it is used, so who comes next does it.
fn sweep_cgroups() {
    let base = Path::new("/sys/fs/cgroup");
    let folders = ["", "memory", "cpu", "cpuset"].map(|controller| base.join(controller));
    for entry in folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("rbc-") {
            // It fails as long as somebody is in it.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

type Settings = Vec<(&'static str, String)>;

fn settings(limits: &LinuxResources, unified: bool) -> Vec<(&'static str, Settings)> {
    let mut memory: Settings = Vec::new();
    let mut cpu: Settings = Vec::new();
    let mut cpuset: Settings = Vec::new();
    if unified {
        if limits.memory > 0 {
            memory.push(("memory.max", limits.memory.to_string()));
        }
        if limits.memory_swap != 0 {
            let swap = limits.memory_swap - limits.memory;
            memory.push((
                "memory.swap.max",
                if limits.memory_swap < 0 { "max".to_owned() } else { swap.max(0).to_string() },
            ));
        }
        if limits.cpu_shares > 0 {
            // From 2..262144 to 1..10000, as runc does it.
            let weight = 1 + (limits.cpu_shares.clamp(2, 262_144) - 2) * 9999 / 262_142;
            cpu.push(("cpu.weight", weight.to_string()));
        }
        if limits.cpu_quota != 0 || limits.cpu_period != 0 {
            let quota = if limits.cpu_quota > 0 { limits.cpu_quota.to_string() } else { "max".to_owned() };
            let period = if limits.cpu_period > 0 { limits.cpu_period } else { 100_000 };
            cpu.push(("cpu.max", format!("{quota} {period}")));
        }
        memory.append(&mut cpu);
        cpuset_settings(limits, &mut memory);
        return vec![("", memory)];
    }
    if limits.memory > 0 {
        memory.push(("memory.limit_in_bytes", limits.memory.to_string()));
    }
    if limits.memory_swap != 0 {
        memory.push(("memory.memsw.limit_in_bytes", limits.memory_swap.to_string()));
    }
    if limits.cpu_shares > 0 {
        cpu.push(("cpu.shares", limits.cpu_shares.to_string()));
    }
    if limits.cpu_period > 0 {
        cpu.push(("cpu.cfs_period_us", limits.cpu_period.to_string()));
    }
    if limits.cpu_quota != 0 {
        cpu.push(("cpu.cfs_quota_us", limits.cpu_quota.to_string()));
    }
    cpuset_settings(limits, &mut cpuset);
    if cpuset.len() == 1 {
        // Of the old interface both must be set before a process can join.
        let (missing, file) =
            if cpuset[0].0 == "cpuset.cpus" { ("cpuset.mems", "mems") } else { ("cpuset.cpus", "cpus") };
        let all = fs::read_to_string(format!("/sys/fs/cgroup/cpuset/cpuset.{file}")).unwrap_or_default();
        cpuset.push((missing, all.trim().to_owned()));
    }
    vec![("memory", memory), ("cpu", cpu), ("cpuset", cpuset)]
}

fn cpuset_settings(limits: &LinuxResources, settings: &mut Settings) {
    if !limits.cpuset_cpus.is_empty() {
        settings.push(("cpuset.cpus", limits.cpuset_cpus.clone()));
    }
    if !limits.cpuset_mems.is_empty() {
        settings.push(("cpuset.mems", limits.cpuset_mems.clone()));
    }
}
