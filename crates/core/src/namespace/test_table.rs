//! What servers say of their commands, in a form that is read at a glance.

use redis::Value;

use super::CommandTable;

/// The reply to `COMMAND`, a line a command: its name, its flags behind `+`, and where its keys are: three numbers, and
/// from Redis 7.0 on specifications.
pub(crate) fn table(lines: &str) -> CommandTable {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    CommandTable::read(&Value::Array(lines.map(entry).collect())).unwrap()
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn entry(line: &str) -> Value {
    let (line, subcommands) = line.split_once(" > ").unwrap_or((line, ""));
    let mut words = line.split(' ');
    let name = words.next().unwrap();
    let (flags, keys): (Vec<_>, Vec<_>) = words.partition(|word| word.starts_with('+'));
    let flags = flags
        .iter()
        .map(|flag| Value::SimpleString(flag[1..].to_owned()));
    let mut entry = vec![bulk(name), Value::Int(-1), Value::Set(flags.collect())];
    let numbers = |text: &str| -> Vec<Value> {
        let numbers = text
            .split(',')
            .map(|number| Value::Int(number.parse().unwrap()));
        numbers.collect()
    };
    let (legacy, specs): (Vec<_>, Vec<_>) = keys
        .into_iter()
        .partition(|word| word.split(',').count() == 3);
    entry.extend(numbers(legacy.first().unwrap_or(&"0,0,0")));
    if specs.is_empty() && !legacy.is_empty() {
        entry.push(Value::Array(vec![]));
        return Value::Array(entry);
    }
    entry.extend([Value::Array(vec![]), Value::Array(vec![])]);
    entry.push(Value::Array(specs.into_iter().map(spec).collect()));
    let subcommands = subcommands.split(" ; ").filter(|line| !line.is_empty());
    entry.push(Value::Array(subcommands.map(self::entry).collect()));
    Value::Array(entry)
}

/// `1:0/1` begins at 1, and its last key is 0 behind that, step 1; `1#` is counted by the argument at 1; `!` is
/// incomplete, `?` unknown, `~` not of keys, `=STREAMS` behind a keyword.
fn spec(text: &str) -> Value {
    let map = |pairs: Vec<(&str, Value)>| {
        let flat = pairs
            .into_iter()
            .flat_map(|(name, value)| [bulk(name), value]);
        Value::Array(flat.collect())
    };
    let typed = |name: &str, spec| map(vec![("type", bulk(name)), ("spec", spec)]);
    let number = |text: &str| Value::Int(text.parse().unwrap());
    let (text, flag) = match text.split_at_checked(1) {
        Some(("!", text)) => (text, "incomplete"),
        Some(("~", text)) => (text, "not_key"),
        _ => (text, "RW"),
    };
    let flags = Value::Set(vec![Value::SimpleString(flag.to_owned())]);
    let index = |at: &str| typed("index", map(vec![("index", number(at))]));
    let (begin, find) = if text == "?" {
        (typed("unknown", map(vec![])), typed("unknown", map(vec![])))
    } else if let Some(at) = text.strip_suffix('#') {
        let counted = map(vec![
            ("keynumidx", Value::Int(0)),
            ("firstkey", Value::Int(1)),
            ("keystep", Value::Int(1)),
        ]);
        (index(at), typed("keynum", counted))
    } else {
        let (begin, range) = text.split_once(':').unwrap();
        let (last, step) = range.split_once('/').unwrap();
        let range = map(vec![
            ("lastkey", number(last)),
            ("keystep", number(step)),
            ("limit", Value::Int(0)),
        ]);
        let begin = match begin.strip_prefix('=') {
            Some(word) => typed("keyword", map(vec![("keyword", bulk(word))])),
            None => index(begin),
        };
        (begin, typed("range", range))
    };
    map(vec![
        ("flags", flags),
        ("begin_search", begin),
        ("find_keys", find),
    ])
}

pub(crate) const REDIS_7: &str = "
    get 1:0/1
    del 1:-1/1
    mset 1:-1/2
    blpop 1:-2/1
    lcs 1:1/1
    bitop 2:0/1 3:-1/1
    zunion 1#
    zunionstore 1:0/1 2#
    blmpop 2#
    xread =STREAMS:-1/1
    xreadgroup =STREAMS:-1/1
    sort 1:0/1 ? ?
    sort_ro 1:0/1 ?
    georadius 1:0/1 =STORE:0/1
    georadiusbymember 1:0/1 =STORE:0/1
    migrate 3:0/1 !=KEYS:-1/1
    eval 2#
    vague 1:0/1 !2:0/1
    later 1:0/1 =KEYS:0/1
    five 1:0/1 2:0/1 3:0/1 4:0/1 5:0/1
    mixed 1:0/1 ~2:0/1
    json.get 1:0/1
    vadd +module 1:0/1
    pfdebug +admin 2:0/1
    ping
    flushall
    dbsize
    keys
    scan
    randomkey
    publish
    spublish ~1:0/1
    ssubscribe ~1:-1/1
    subscribe
    memory > memory|usage 2:0/1 ; memory|stats
    object > object|encoding 2:0/1 ; object|help
    client > client|id ; client|list ; client|kill
    config > config|get ; config|set
    command > command|count ; command|new
    pubsub > pubsub|channels ; pubsub|numsub ; pubsub|numpat ; pubsub|shardnumsub
    function > function|load
";

pub(crate) const REDIS_6_2: &str = "
    get 1,1,1
    del 1,-1,1
    blpop 1,-2,1
    bitop 2,-1,1
    xgroup 2,2,1
    object 2,2,1
    zunion +movablekeys 0,0,0
    zunionstore +movablekeys 1,1,1
    xread +movablekeys 0,0,0
    sort +movablekeys 1,1,1
    georadius +movablekeys 1,1,1
    memory +movablekeys 0,0,0
    stralgo +movablekeys 0,0,0
    eval +movablekeys 0,0,0
    migrate +movablekeys 0,0,0
    flushall 0,0,0
    client 0,0,0
    command 0,0,0
    pubsub 0,0,0
    debug 0,0,0
    scan 0,0,0
    ft.search 1,1,1
";
