//! Which cores the server and the clients may use.

/// Keeps the server on the last core, and this process and its children on the others. Otherwise the system
/// decides anew each time whether a single call meets the server on its own core, which is several times as fast as
/// waking another.
#[cfg(target_os = "linux")]
pub(crate) fn divide(server: u32) -> Result<(), String> {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    let told = |error: nix::Error| error.to_string();
    let ours = Pid::from_raw(0);
    let allowed = sched_getaffinity(ours).map_err(told)?;
    let cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core) == Ok(true));
    let cores: Vec<usize> = cores.collect();
    let Some((last, others)) = cores.split_last().filter(|(_, others)| !others.is_empty()) else {
        return Err("--pin needs two cores".to_owned());
    };
    let set = |cores: &[usize]| {
        let mut set = CpuSet::new();
        cores.iter().try_for_each(|core| set.set(*core))?;
        Ok(set)
    };
    let server = Pid::from_raw(server as i32);
    sched_setaffinity(server, &set(&[*last]).map_err(told)?).map_err(told)?;
    sched_setaffinity(ours, &set(others).map_err(told)?).map_err(told)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn divide(_server: u32) -> Result<(), String> {
    Err("--pin needs Linux".to_owned())
}
