//! What a host with a shared server denies a script.

/// What a script that shares a server must not do to the others; see [`DeniedCommands::dangerous`].
pub(super) const DANGEROUS: [&str; 50] = [
    // The data of all.
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB",
    "MIGRATE",
    "RESTORE-ASKING",
    // The server itself.
    "ACL",
    "BGREWRITEAOF",
    "BGSAVE",
    "CLUSTER",
    "CONFIG",
    "DEBUG",
    "FAILOVER",
    "MODULE",
    "PFDEBUG",
    "PFSELFTEST",
    "PSYNC",
    "REPLCONF",
    "REPLICAOF",
    "SAVE",
    "SHUTDOWN",
    "SLAVEOF",
    "SYNC",
    // What it costs grows with the data of all, or with what all do.
    "HOTKEYS",
    "KEYS",
    "MONITOR",
    // The connections of others.
    "CLIENT|KILL",
    "CLIENT|PAUSE",
    "CLIENT|UNBLOCK",
    "CLIENT|UNPAUSE",
    "CLIENT|NO-EVICT",
    // What others loaded, run or measured.
    "FUNCTION|DELETE",
    "FUNCTION|FLUSH",
    "FUNCTION|KILL",
    "FUNCTION|LOAD",
    "FUNCTION|RESTORE",
    "SCRIPT|DEBUG",
    "SCRIPT|FLUSH",
    "SCRIPT|KILL",
    "COMMANDLOG|RESET",
    "LATENCY|RESET",
    "SLOWLOG|RESET",
    "MEMORY|PURGE",
    // Lua runs FLUSHALL, SWAPDB and KEYS for whoever asks it to.
    "EVAL",
    "EVALSHA",
    "EVALSHA_RO",
    "EVAL_RO",
    "FCALL",
    "FCALL_RO",
    // Another user may be allowed what this one is not.
    "AUTH",
    "HELLO",
];
