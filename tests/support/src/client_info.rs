//! A line of `CLIENT LIST`.

/// One connection as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientInfo {
    /// The connection's number, never given twice.
    pub id: u64,
    /// The address it comes from; the socket's path for a Unix socket.
    pub addr: String,
    /// What `CLIENT SETNAME` said, or "".
    pub name: String,
    /// The selected database.
    pub db: u32,
    /// The last command, as `client|list`; "NULL" before the first.
    pub cmd: String,
    /// The ACL user.
    pub user: String,
    /// The protocol, 2 or 3; `None` from servers that do not tell (before 7.0).
    pub resp: Option<u8>,
    /// What `CLIENT SETINFO LIB-NAME` said, or ""; always "" before 7.2.
    pub lib_name: String,
    /// The whole line.
    pub raw: String,
}

impl ClientInfo {
    /// Any field by the name that the server gives it, such as "sub", "multi", "age".
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.raw, name)
    }

    /// `None` for a line without an id.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let text = |name| field(line, name).unwrap_or_default().to_owned();
        Some(Self {
            id: field(line, "id")?.parse().ok()?,
            addr: text("addr"),
            name: text("name"),
            db: text("db").parse().unwrap_or_default(),
            cmd: text("cmd"),
            user: text("user"),
            resp: text("resp").parse().ok(),
            lib_name: text("lib-name"),
            raw: line.to_owned(),
        })
    }
}

fn field<'line>(line: &'line str, name: &str) -> Option<&'line str> {
    line.split(' ')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let line = "id=7 addr=127.0.0.1:5000 laddr=127.0.0.1:6379 fd=8 name=a=b age=0 db=3 sub=1 cmd=client|list \
                    user=default resp=3 lib-name=redis-manager lib-ver=0.1.0";
        let info = ClientInfo::parse(line).unwrap();
        assert_eq!(
            (info.id, info.name.as_str(), info.db, info.resp),
            (7, "a=b", 3, Some(3))
        );
        assert_eq!(
            (info.cmd.as_str(), info.user.as_str()),
            ("client|list", "default")
        );
        assert_eq!(
            (
                info.lib_name.as_str(),
                info.field("sub"),
                info.field("nosuch")
            ),
            ("redis-manager", Some("1"), None)
        );
    }

    #[test]
    fn an_old_server_tells_less() {
        let info = ClientInfo::parse("id=1 addr=x name= db=0 cmd=get").unwrap();
        assert_eq!(
            (info.name.as_str(), info.user.as_str(), info.resp),
            ("", "", None)
        );
        assert_eq!(ClientInfo::parse(""), None);
    }
}
