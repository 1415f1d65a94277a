//! What the kernel says: CPU time and memory of a process, how busy a core was, what machine this is. Linux only.

use crate::Failed;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// Clock ticks a second in /proc; Linux tells programs 100 whatever it uses itself.
const TICKS: u64 = 100;

/// How long to look whether the machine is quiet.
const LOOK: Duration = Duration::from_millis(500);

/// CPU time of a process so far, user and system, all its threads.
pub(crate) fn cpu(pid: u32) -> Result<Duration, Failed> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is a name in brackets that may hold anything; utime and stime are the 14th and 15th.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * (1000 / TICKS)))
}

/// As [`cpu`], to the nanosecond, of the threads that live.
pub(crate) fn exact_cpu(pid: u32) -> Result<Duration, Failed> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended since.
        let stat = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanos += stat
            .split_whitespace()
            .next()
            .and_then(|nanos| nanos.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

/// CPU time of the calling thread so far, to the nanosecond.
pub(crate) fn own_cpu() -> Result<Duration, Failed> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = stat.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanos))
}

/// Resident memory of a process in KiB.
pub(crate) fn memory(pid: u32) -> Result<u64, Failed> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .ok_or("no VmRSS: the process has ended")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Time this core has not been idle, whoever used it, waiting for the disk not counted.
pub(crate) fn busy(core: usize) -> Result<Duration, Failed> {
    let stat = fs::read_to_string("/proc/stat")?;
    let prefix = format!("cpu{core} ");
    let line = stat
        .lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .ok_or("no such core")?;
    let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    let all: u64 = fields.iter().take(8).sum();
    Ok(Duration::from_millis((all - idle) * (1000 / TICKS)))
}

/// Returns when both cores have been nearly idle for half a second, or after this many seconds.
pub(crate) fn wait_for_quiet(seconds: u64) -> Result<(), Failed> {
    let both = || Ok::<_, Failed>(busy(Pins::SERVER)? + busy(Pins::LOAD).unwrap_or_default());
    let begun = Instant::now();
    while begun.elapsed().as_secs() < seconds {
        let before = both()?;
        std::thread::sleep(LOOK);
        if both()?.saturating_sub(before) < LOOK / 10 {
            break;
        }
    }
    Ok(())
}

/// Cores of the machine, what the data lies on.
pub(crate) fn describe(folder: &Path) -> String {
    let cores = available_parallelism().map_or(0, usize::from);
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let of_folder = |line: &&str| line.split(' ').nth(1).is_some_and(|point| folder.starts_with(point));
    let deepest = mounts
        .lines()
        .filter(of_folder)
        .max_by_key(|line| line.split(' ').nth(1).map_or(0, str::len));
    let mut fields = deepest.unwrap_or_default().split(' ');
    let (device, kind) = (
        fields.next().unwrap_or_default(),
        fields.nth(1).unwrap_or("an unknown file system"),
    );
    format!("{cores} cores; data on {kind} ({device})")
}

/// Which core each side is tied to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pins {
    tied: bool,
}

impl Pins {
    /// The server's core, and the load's.
    pub(crate) const SERVER: usize = 0;
    pub(crate) const LOAD: usize = 1;

    /// Tied where the machine can: a second core, and `taskset`.
    pub(crate) fn find() -> Self {
        let two = available_parallelism().is_ok_and(|cores| cores.get() > Self::LOAD);
        let taskset = Command::new("taskset").arg("--version").output().is_ok();
        if !two {
            eprintln!("bench: one core only: server and load share it, so the figures are low and uneven");
        } else if !taskset {
            eprintln!("bench: no taskset (package util-linux): nothing is tied to a core, so the figures are uneven");
        }
        Self { tied: two && taskset }
    }

    /// As the parent of this process found it: a process tied to one core sees no other.
    pub(crate) fn given(tied: bool) -> Self {
        Self { tied }
    }

    /// Whether processes are tied to cores.
    pub(crate) fn tied(self) -> bool {
        self.tied
    }

    /// A command that runs `program` on this core. `taskset` becomes the program, so its process id is the program's.
    pub(crate) fn command(self, core: usize, program: &Path) -> Command {
        if !self.tied {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.arg("-c").arg(core.to_string()).arg(program);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_about_this_process() {
        let pid = std::process::id();
        assert!(memory(pid).unwrap() > 100);
        // The kernel counts in ticks of 10 ms: work until the first one.
        while own_cpu().unwrap() == Duration::ZERO {
            std::hint::spin_loop();
        }
        cpu(pid).unwrap();
        assert!(busy(0).unwrap() > Duration::ZERO);
        assert!(cpu(u32::MAX).is_err());
    }
}
