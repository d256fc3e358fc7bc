//! The CPU time of a process on this machine. Source: proc_pid_stat(5).

/// The kernel's clock ticks a second, in which it tells CPU time: USER_HZ, 100 on every architecture.
const TICKS: f64 = 100.0;
/// Where user time stands, counted from the field behind the command's name; kernel time follows.
const USER_TIME_FIELD: usize = 11;

/// CPU seconds in user and kernel mode that process `pid` has used; this one's own for none.
pub(super) fn cpu_seconds(pid: Option<u32>) -> Option<f64> {
    let pid = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name may hold blanks and brackets; what follows the last bracket does not.
fn parse(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(USER_TIME_FIELD);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects CPU figures: the right fields are read, whatever the program is called.
    #[test]
    fn user_and_kernel_time_are_read() {
        let stat = "12 (a) b (c)) S 1 12 12 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 1 0 9 9 9";
        assert_eq!(parse(stat), Some(2.0));
        assert_eq!(parse("12 (a) S 1"), None);
        assert!(cpu_seconds(None).is_some());
        assert_eq!(cpu_seconds(Some(u32::MAX)), None);
    }
}
