//! The process as the kernel sees it, under the names that every Prometheus client uses. Where there is no `/proc`, there are no
//! such series.

#[cfg(test)]
mod tests;

use std::fs;

use ::metrics::{Counter, Gauge};

use super::names;
use super::part::Part;

/// The process' own metrics; looked up for every scrape.
pub(super) struct Process {
    cpu_seconds: Counter,
    resident_memory: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
}

impl Process {
    /// None where the kernel does not tell.
    pub(super) fn new(program: &Part) -> Option<Self> {
        let stat = Stat::read()?;
        // Looked up once: the kernel counts from a boot time that moves with every correction of the clock, and a restart that
        // was none would be counted.
        if let Some(boot) = boot_time() {
            program.gauge(&names::PROCESS_START_TIME, Vec::new()).set(boot + stat.started);
        }
        let process = Self {
            cpu_seconds: program.counter(&names::PROCESS_CPU_SECONDS, Vec::new()),
            resident_memory: program.gauge(&names::PROCESS_RESIDENT_MEMORY, Vec::new()),
            open_fds: program.gauge(&names::PROCESS_OPEN_FDS, Vec::new()),
            max_fds: program.gauge(&names::PROCESS_MAX_FDS, Vec::new()),
        };
        Some(process)
    }

    /// Looks everything up again.
    pub(super) fn update(&self) {
        if let Some(stat) = Stat::read() {
            // The library's counters are whole; a rate over a minute does not mind.
            self.cpu_seconds.absolute(stat.cpu as u64);
            self.resident_memory.set(stat.resident);
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // The folder that is being read is open as well, for this moment only.
            self.open_fds.set(entries.count().saturating_sub(1) as f64);
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        self.max_fds.set(limit.map_or(f64::INFINITY, |limit| limit as f64));
    }
}

/// What `/proc/self/stat` says (proc(5)).
struct Stat {
    /// Time on a processor, in seconds.
    cpu: f64,
    /// When the process was started, in seconds since the machine was.
    started: f64,
    /// Memory that is not swapped out, in bytes.
    resident: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        Self::parse(&text, rustix::param::clock_ticks_per_second() as f64, rustix::param::page_size() as f64)
    }

    fn parse(text: &str, ticks_per_second: f64, page_bytes: f64) -> Option<Self> {
        // The second field is the program's name in brackets and may hold anything. proc(5) counts from 1.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<f64>().ok();
        Some(Self {
            cpu: (field(14)? + field(15)?) / ticks_per_second,
            started: field(22)? / ticks_per_second,
            resident: field(24)? * page_bytes,
        })
    }
}

/// When the machine was started, in seconds since 1970.
fn boot_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
