//! Measuring: wall time, CPU time, allocations.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mimalloc::MiMalloc;

/// How long one figure may take, unless a single run takes longer.
const BUDGET: Duration = Duration::from_millis(400);
/// Runs that are shorter than this are measured several at a time, so that reading the clocks does not show.
const SHORTEST: Duration = Duration::from_millis(1);

/// The program's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is handed on to that allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { MiMalloc.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(size.saturating_sub(layout.size()) as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { MiMalloc.realloc(ptr, layout, size) }
    }
}

/// What one run costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Wall time, the least of all runs.
    pub min: Duration,
    /// Wall time, the median.
    pub median: Duration,
    /// CPU time, the least of all runs.
    pub cpu: Duration,
    /// How often memory was asked for.
    pub allocations: u64,
    /// How much of it, in bytes.
    pub bytes: u64,
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on Linux, and the pointer is to a `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Measures `work`: once to warm up and to see how long it takes, then again and again.
pub fn measure<T>(mut work: impl FnMut() -> T) -> Cost {
    let (count, bytes) = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    let start = Instant::now();
    black_box(work());
    let once = start.elapsed();
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - count;
    let bytes = BYTES.load(Ordering::Relaxed) - bytes;
    let batch = (SHORTEST.as_nanos() / once.as_nanos().max(1)).max(1) as u32;
    let mut times = Vec::new();
    let mut cpu = Duration::MAX;
    let start = Instant::now();
    while times.is_empty() || (start.elapsed() < BUDGET && times.len() < 1000) {
        let (from, cpu_from) = (Instant::now(), thread_cpu());
        for _ in 0..batch {
            black_box(work());
        }
        cpu = cpu.min((thread_cpu() - cpu_from) / batch);
        times.push(from.elapsed() / batch);
    }
    times.sort_unstable();
    Cost { min: times[0], median: times[times.len() / 2], cpu, allocations, bytes }
}

/// What one run of a program costs.
#[derive(Clone, Copy, Debug)]
pub struct ProcessCost {
    /// Wall time from start to end, the least of all runs.
    pub min: Duration,
    /// The median.
    pub median: Duration,
    /// CPU time, user and system, the mean.
    pub cpu: Duration,
    /// The most memory that it had at a time, in KiB.
    pub peak: i64,
}

/// Runs a program `runs` times.
pub fn measure_process(runs: u32, mut command: impl FnMut() -> Command) -> std::io::Result<ProcessCost> {
    let mut times = Vec::new();
    let mut cpu = Duration::ZERO;
    let mut peak = 0;
    for run in 0..=runs {
        let start = Instant::now();
        let child = command().spawn()?;
        let mut status = 0;
        // SAFETY: all zeros is a value of this plain struct.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the pointers are to values of the right types, and nobody else waits for this child.
        let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
        if waited < 0 {
            return Err(std::io::Error::last_os_error());
        }
        if status != 0 {
            return Err(std::io::Error::other(format!("{:?} failed", command())));
        }
        // The first run brings the program into memory.
        if run == 0 {
            continue;
        }
        times.push(start.elapsed());
        let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
        cpu += time(usage.ru_utime) + time(usage.ru_stime);
        peak = peak.max(usage.ru_maxrss);
    }
    times.sort_unstable();
    Ok(ProcessCost { min: times[0], median: times[times.len() / 2], cpu: cpu / runs, peak })
}
