//! URIs that are refused, and their errors after `invalid Redis URI: `. `{S}` stands for the list of
//! schemes, `{K}` for that of query keys.

pub(super) const SCHEMES: &str = "redis, rediss, redis-socket, redis-sentinel, rediss-sentinel, \
     redis-cluster, rediss-cluster, redis+ssl, redis+tls, valkey, valkeys, redis+socket, unix, \
     redis+unix, valkey+unix";
pub(super) const KEYS: &str = "timeout, database (db), clientName, libraryName, libraryVersion, \
     verifyPeer, sentinelMasterId, protocol";

const NO_SCHEME: &str = "there is no `scheme://`; use {S}";
const NOT_A_SCHEME: &str = "the text before `://` is no scheme; use {S}";
const STRAY: &str = "`@` stands after the first `/`, `?` or `#`: in a user name or password write these as %2F, \
     %3F and %23, elsewhere write `@` as %40";
const NO_HOST: &str = "the host is empty";
const WILDCARD: &str =
    "0.0.0.0 and :: are addresses to listen on, not to connect to; use 127.0.0.1, ::1 or a name";
const NOT_IPV4: &str = "the host ends in a number but is no IPv4 address such as 127.0.0.1";
const NOT_IPV6: &str = "the host contains `:` or brackets but is no IPv6 address";
const NAME_PART: &str = "each part of the host name between dots must have 1 to 63 characters";
const NAME_CHARACTERS: &str = "the host may contain only letters, digits, `-`, `_` and `.`, or be an IPv6 address in \
     brackets";
const PORT: &str = "the port must be a number from 1 to 65535";
const DATABASE: &str = "the database must be a number from 0 to 2147483647";
const CLUSTER_DATABASE: &str = "a cluster has no numbered databases; leave the database out";
const SOCKET_PATH: &str = "the path of a socket begins with `/`, after the scheme or after `@`: \
     redis-socket:///run/redis.sock";
const RELATIVE: &str = "the path of the socket must be absolute: begin with `/`";
const DIRECTORY: &str = "the path of the socket names a directory: it ends in `/`";
const CREDENTIALS: &str = "credentials do not go into the query; write user:password@ after `://`";
const VERIFY_PEER: &str = "`verifyPeer` needs TLS (rediss://)";
const NO_MASTER: &str = "Sentinel needs the name of the master: #name or `sentinelMasterId`";
const FRAGMENT: &str = "`#` belongs to Sentinel URIs only, where the name of the master follows; instead of \
     `#insecure` write ?verifyPeer=NONE";
const UNKNOWN_KEY: &str = "unknown query key; allowed are {K}";
const TIMEOUT: &str = "query key `timeout`: write a whole number and one unit of d, h, m, s, ms, us, ns (none \
     means ms), such as 500ms";
const CLIENT_NAME: &str =
    "the client name must be one or more printable ASCII characters without spaces";

pub(super) const BAD: &[(&str, &str)] = &[
    // Schemes.
    ("", NO_SCHEME),
    ("localhost", NO_SCHEME),
    ("localhost:6379", NO_SCHEME),
    ("redis:QZXJKVWQ@h", NO_SCHEME),
    ("redis//QZXJKVWQ@h", NO_SCHEME),
    ("://QZXJKVWQ@h", NOT_A_SCHEME),
    ("http://u:QZXJKVWQ@h", "unknown scheme `http`; use {S}"),
    ("redis//:QZXJKVWQ@h://", NOT_A_SCHEME),
    (
        "redis-cluster+tls://h",
        "unknown scheme `redis-cluster+tls`; use {S}",
    ),
    (" redis://h", NOT_A_SCHEME),
    // Characters that must be encoded.
    (
        "redis://u:QZX JKVWQ@h",
        "character 14 is white space, a control character, `<` or `>`; percent-encode it",
    ),
    (
        "redis://h\n",
        "character 10 is white space, a control character, `<` or `>`; percent-encode it",
    ),
    (
        "redis://u:<QZXJKVWQ>@h",
        "character 11 is white space, a control character, `<` or `>`; percent-encode it",
    ),
    (
        "redis://u:QZXJKVWQ\u{a0}@h",
        "character 19 is white space, a control character, `<` or `>`; percent-encode it",
    ),
    // Credentials.
    (
        "redis://u:QZXJKVWQ%@h",
        "the password has a `%` without two hexadecimal digits; write a `%` itself as %25",
    ),
    (
        "redis://u:QZXJKVWQ%ff@h",
        "the password is not UTF-8 after percent-decoding",
    ),
    (
        "redis://QZXJKVWQ%zz:@h",
        "the user name has a `%` without two hexadecimal digits; write a `%` itself as %25",
    ),
    ("redis://u:QZXJ/KVWQ@h", STRAY),
    ("redis://QZXJ/KVWQ@h", STRAY),
    ("redis://QZXJ?KVWQ@h", STRAY),
    ("redis://QZXJ?KV=WQ@h", STRAY),
    ("redis://QZXJ#KVWQ@h", STRAY),
    ("redis-sentinel://QZXJ#KVWQ@h#main", STRAY),
    ("unix:///QZXJKVWQ@/run/r", STRAY),
    ("unix://u:QZXJ/KVWQ@/run/r", STRAY),
    // Hosts.
    ("redis://", NO_HOST),
    ("redis:///0", NO_HOST),
    ("redis://:6379", NO_HOST),
    ("redis://u:QZXJKVWQ@", NO_HOST),
    ("redis://u:QZXJKVWQ@:6379", NO_HOST),
    ("redis://u:QZXJKVWQ", PORT),
    ("redis://0.0.0.0", WILDCARD),
    ("redis://0", NOT_IPV4),
    ("redis://0x0.0", NOT_IPV4),
    ("redis://[::]", WILDCARD),
    ("redis://[::ffff:0.0.0.0]", WILDCARD),
    (
        "redis://::1",
        "there is more than one `:` in host and port; an IPv6 address needs brackets: [::1]:6379",
    ),
    (
        "redis://[::1",
        "the bracket before the IPv6 address is not closed",
    ),
    (
        "redis://[::1]6379",
        "only `:port` may follow the bracket after an IPv6 address",
    ),
    ("redis://[localhost]", NOT_IPV6),
    ("redis://[127.0.0.1]", NOT_IPV6),
    (
        "redis://[fe80::1%25eth0]",
        "an IPv6 zone (`%…`) is not supported",
    ),
    ("redis://256.0.0.1", NOT_IPV4),
    ("redis://1.2.3", NOT_IPV4),
    (
        "redis://bücher.example",
        "the host name is not ASCII; write it in its `xn--` form",
    ),
    ("redis://a..b", NAME_PART),
    ("redis://.", NAME_PART),
    ("redis://a!b", NAME_CHARACTERS),
    ("redis://h%6Fst", NAME_CHARACTERS),
    (
        "redis://a,b",
        "several hosts are for Sentinel (redis-sentinel://) and Cluster (redis-cluster://) only",
    ),
    // Ports and nodes.
    ("redis://h:0", PORT),
    ("redis://h:65536", PORT),
    ("redis://h:+80", PORT),
    ("redis://h:-1", PORT),
    ("redis://h:QZXJKVWQ", PORT),
    (
        "redis-cluster://a,b:0",
        "node 2: the port must be a number from 1 to 65535",
    ),
    ("redis-cluster://a,", "node 2: the host is empty"),
    ("redis-cluster://a,,b", "node 2: the host is empty"),
    (
        "redis-cluster://a:1:2,b",
        "node 1: there is more than one `:` in host and port; an IPv6 address needs brackets: [::1]:6379",
    ),
    // Databases.
    ("redis://h/+1", DATABASE),
    ("redis://h/-1", DATABASE),
    ("redis://h/1/", DATABASE),
    ("redis://h//", DATABASE),
    ("redis://h/x", DATABASE),
    ("redis://h/2147483648", DATABASE),
    ("redis://h/x?db=1", DATABASE),
    ("redis-cluster://h/0", CLUSTER_DATABASE),
    ("redis-cluster://h?db=1", CLUSTER_DATABASE),
    // Sockets.
    ("redis-socket://run/redis.sock", SOCKET_PATH),
    ("unix://", RELATIVE),
    ("unix:///", DIRECTORY),
    ("unix:///run/", DIRECTORY),
    (
        "unix:///run/a%00b",
        "the path of the socket contains a NUL character",
    ),
    ("unix://u:QZXJKVWQ@", RELATIVE),
    ("unix://u:QZXJKVWQ@h/run/r", SOCKET_PATH),
    ("unix:///r?user=u&pass=QZXJKVWQ", CREDENTIALS),
    ("unix:///r?pass=QZXJKVWQ", CREDENTIALS),
    ("unix:///r?verifyPeer=NONE", VERIFY_PEER),
    ("redis://h?password=QZXJKVWQ", CREDENTIALS),
    // Sentinel.
    ("redis-sentinel://h", NO_MASTER),
    ("redis-sentinel://h#", NO_MASTER),
    ("redis-sentinel://h?sentinelMasterId=", NO_MASTER),
    (
        "redis-sentinel://h?sentinelMasterId=a#b",
        "`sentinelMasterId` and the text after `#` name two different masters; give one",
    ),
    (
        "redis-sentinel://h#%f",
        "the name of the master has a `%` without two hexadecimal digits; write a `%` itself as %25",
    ),
    (
        "redis://h?sentinelMasterId=a",
        "`sentinelMasterId` is for Sentinel (redis-sentinel://) only",
    ),
    ("redis://h#main", FRAGMENT),
    ("redis://h#", FRAGMENT),
    ("rediss://h#insecure", FRAGMENT),
    // The query.
    (
        "redis://h?nope=QZXJKVWQ",
        "unknown query key `nope`; allowed are {K}",
    ),
    ("redis://h?QZXJKVWQ", UNKNOWN_KEY),
    ("redis://h?=QZXJKVWQ", UNKNOWN_KEY),
    ("redis://h?QZ!XJKVWQ=1", UNKNOWN_KEY),
    ("redis://h?timeout", "query key `timeout` has no value"),
    ("redis://h?timeout=", TIMEOUT),
    ("redis://h?timeout=0", "the timeout must be longer than 0"),
    ("redis://h?timeout=1.5s", TIMEOUT),
    ("redis://h?timeout=1h30m", TIMEOUT),
    ("redis://h?timeout=-1", TIMEOUT),
    (
        "redis://h?timeout=99999999999999999999d",
        "query key `timeout`: the duration is too long",
    ),
    (
        "redis://h?timeout=1s&TIMEOUT=1s",
        "query key `timeout` is given twice",
    ),
    (
        "redis://h?db=1&database=1",
        "query key `database` is given twice",
    ),
    (
        "redis://h?db=",
        "query key `database`: the database must be a number from 0 to 2147483647",
    ),
    ("redis://h?clientName=", CLIENT_NAME),
    ("redis://h?clientName=a%20b", CLIENT_NAME),
    ("redis://h?clientName=a%0Ab", CLIENT_NAME),
    ("redis://h?clientName=%C3%A9", CLIENT_NAME),
    (
        "redis://h?clientName=%e9",
        "query key `clientName`: the value is not UTF-8 after percent-decoding",
    ),
    (
        "redis://h?libraryName=a%20b",
        "the library name must be one or more printable ASCII characters without spaces",
    ),
    (
        "redis://h?libraryVersion=",
        "the library version must be one or more printable ASCII characters without spaces",
    ),
    ("redis://h?verifyPeer=FULL", VERIFY_PEER),
    (
        "rediss://h?verifyPeer=QZXJKVWQ",
        "query key `verifyPeer`: the value must be NONE, CA or FULL",
    ),
    (
        "redis://h?protocol=4",
        "query key `protocol`: the value must be 2, 3 or auto",
    ),
    (
        "redis://h?%zz=1",
        "a query key has a `%` without two hexadecimal digits; write a `%` itself as %25",
    ),
];
