//! URIs that are read, and all parts that are not the default.

pub(super) const GOOD: &[(&str, &str)] = &[
    // One server.
    ("redis://localhost", "Standalone localhost:6379"),
    ("redis://localhost:6380", "Standalone localhost:6380"),
    ("redis://localhost:", "Standalone localhost:6379"),
    ("redis://localhost/", "Standalone localhost:6379"),
    ("redis://localhost?", "Standalone localhost:6379"),
    ("redis://localhost/?", "Standalone localhost:6379"),
    (
        "redis://localhost?&timeout=1s&",
        "Standalone localhost:6379 timeout=1s",
    ),
    ("REDIS://LocalHost", "Standalone LocalHost:6379"),
    ("valkey://localhost", "Standalone localhost:6379"),
    (
        "redis://a_b-c.example.com.:1",
        "Standalone a_b-c.example.com.:1",
    ),
    ("redis://127.0.0.1:65535", "Standalone 127.0.0.1:65535"),
    ("redis://localhost:06379", "Standalone localhost:6379"),
    ("redis://localhost/0", "Standalone localhost:6379"),
    ("redis://localhost/15", "Standalone localhost:6379 db=15"),
    ("redis://localhost/015", "Standalone localhost:6379 db=15"),
    (
        "redis://localhost/2147483647",
        "Standalone localhost:6379 db=2147483647",
    ),
    ("redis://localhost/1?db=2", "Standalone localhost:6379 db=2"),
    (
        "redis://localhost/1?DataBase=0",
        "Standalone localhost:6379",
    ),
    // IPv6.
    ("redis://[::1]", "Standalone [::1]:6379"),
    ("redis://[::1]:6380", "Standalone [::1]:6380"),
    ("redis://[::1]:", "Standalone [::1]:6379"),
    (
        "redis://[2001:DB8:0:0:0:0:0:1]",
        "Standalone [2001:db8::1]:6379",
    ),
    (
        "redis://[::ffff:127.0.0.1]",
        "Standalone [::ffff:127.0.0.1]:6379",
    ),
    // Credentials.
    ("redis://QZXJKVWQ@h", "Standalone h:6379 password=QZXJKVWQ"),
    ("redis://:QZXJKVWQ@h", "Standalone h:6379 password=QZXJKVWQ"),
    (
        "redis://u:QZXJKVWQ@h",
        "Standalone h:6379 user=u password=QZXJKVWQ",
    ),
    ("redis://u:@h", "Standalone h:6379 user=u password="),
    ("redis://@h", "Standalone h:6379"),
    ("redis://:@h", "Standalone h:6379"),
    (
        "redis://u:QZXJKVWQ:@x@h",
        "Standalone h:6379 user=u password=QZXJKVWQ:@x",
    ),
    (
        "redis://u:QZXJKVWQ€@h",
        "Standalone h:6379 user=u password=QZXJKVWQ€",
    ),
    (
        "redis://a%3Ab%40%2F:QZXJKVWQ%20%2f%3F%23%25%5B%0A@h",
        "Standalone h:6379 user=a:b@/ password=QZXJKVWQ /?#%[\n",
    ),
    (
        "redis://u:QZXJKVWQ+;&=!$'()*,[]|^`{}\"\\@h",
        "Standalone h:6379 user=u password=QZXJKVWQ+;&=!$'()*,[]|^`{}\"\\",
    ),
    // TLS.
    ("rediss://h", "Standalone h:6379 tls=Full"),
    ("redis+ssl://h", "Standalone h:6379 tls=Full"),
    ("redis+tls://h", "Standalone h:6379 tls=Full"),
    ("valkeys://h", "Standalone h:6379 tls=Full"),
    ("rediss://h?verifyPeer=NONE", "Standalone h:6379 tls=None"),
    ("rediss://h?VERIFYPEER=ca", "Standalone h:6379 tls=Ca"),
    ("rediss://h?verifyPeer=Full", "Standalone h:6379 tls=Full"),
    // Sockets.
    ("redis-socket:///run/redis.sock", "Socket /run/redis.sock"),
    ("redis+socket:///run/redis.sock", "Socket /run/redis.sock"),
    ("unix:///run/redis.sock", "Socket /run/redis.sock"),
    ("redis+unix:///run/redis.sock", "Socket /run/redis.sock"),
    ("valkey+unix:///run/redis.sock", "Socket /run/redis.sock"),
    ("unix:///run/redis@1.sock", "Socket /run/redis@1.sock"),
    (
        "unix:///run/a%20b%3F%23%25%C3%A9.sock",
        "Socket /run/a b?#%é.sock",
    ),
    ("unix://QZXJKVWQ@/run/r", "Socket /run/r password=QZXJKVWQ"),
    (
        "unix://u:QZXJKVWQ@/run/r?db=3&clientName=c",
        "Socket /run/r user=u password=QZXJKVWQ db=3 client=c",
    ),
    // Sentinel.
    ("redis-sentinel://h#main", "Sentinel h:26379 master=main"),
    (
        "redis-sentinel://:QZXJKVWQ@a,b:1,[::1],[::2]:3/4?timeout=1s#main",
        "Sentinel a:26379,b:1,[::1]:26379,[::2]:3 password=QZXJKVWQ db=4 master=main timeout=1s",
    ),
    (
        "rediss-sentinel://h?verifyPeer=CA#m",
        "Sentinel h:26379 master=m tls=Ca",
    ),
    (
        "redis-sentinel://h?sentinelMasterId=m",
        "Sentinel h:26379 master=m",
    ),
    (
        "redis-sentinel://h?sentinelmasterid=a%20b#a%20b",
        "Sentinel h:26379 master=a b",
    ),
    (
        "redis-sentinel://h#%23%40%2F%25%C3%BC",
        "Sentinel h:26379 master=#@/%ü",
    ),
    // Cluster.
    ("redis-cluster://h", "Cluster h:6379"),
    ("redis-cluster://a,b:7001/", "Cluster a:6379,b:7001"),
    ("rediss-cluster://a", "Cluster a:6379 tls=Full"),
    (
        "redis-cluster://u:QZXJKVWQ@a,b/?protocol=3",
        "Cluster a:6379,b:6379 user=u password=QZXJKVWQ protocol=Resp3",
    ),
    // The query.
    ("redis://h?timeout=500", "Standalone h:6379 timeout=500ms"),
    ("redis://h?TimeOut=2D", "Standalone h:6379 timeout=172800s"),
    ("redis://h?timeout=1%30s", "Standalone h:6379 timeout=10s"),
    (
        "redis://h?clientName=a&libraryName=b&libraryVersion=1.0",
        "Standalone h:6379 client=a library=b version=1.0",
    ),
    (
        "redis://h?clientName=a=b;c+d@e",
        "Standalone h:6379 client=a=b;c+d@e",
    ),
    (
        "redis://h?clientName=a%26b%3D%25",
        "Standalone h:6379 client=a&b=%",
    ),
    (
        "redis://h?timeout=7us&db=1&protocol=auto",
        "Standalone h:6379 db=1 timeout=7µs protocol=Auto",
    ),
    ("redis://h?protocol=2", "Standalone h:6379 protocol=Resp2"),
    ("redis://h?protocol=AUTO", "Standalone h:6379 protocol=Auto"),
    (
        "redis://h?protocol=resp3",
        "Standalone h:6379 protocol=Resp3",
    ),
];
