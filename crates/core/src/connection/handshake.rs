//! From an open socket to a connection that is known to answer.

use redis::{ProtocolVersion, Value};

use super::cluster::NodeChoice;
use super::connect::Peer;
use super::dialogue::Dialogue;
use super::endpoint::Endpoint;
use super::following::Following;
use super::login::Login;
use super::progress::Progress;
use super::sentinel::{FoundMaster, Role};
use super::socket::Socket;
use super::socket_target::SocketTarget;
use crate::connection_info::{library_name, library_version};
use crate::credentials::Announcements;
use crate::resp::Decoder;
use crate::{ClientContext, Error, ErrorKind, Protocol, ReadFrom, RedisTopology, Result};

/// A socket on which the server has answered, ready for requests.
pub(super) struct Greeted {
    pub(super) socket: Socket,
    pub(super) decoder: Decoder,
    pub(super) protocol: ProtocolVersion,
    /// How it hears that others are to log in.
    pub(super) announcements: Option<Announcements>,
    /// What ends it when another server is to be connected to, if something else than the URI named this one.
    pub(super) following: Option<Box<Following>>,
}

/// Opens a connection in `protocol` to `target`.
pub(super) async fn greet(
    context: &ClientContext,
    target: &SocketTarget,
    protocol: Protocol,
    progress: &Progress,
) -> Result<Greeted> {
    let endpoint = match target {
        SocketTarget::OfUri => None,
        SocketTarget::Node { address, .. } => Some(Endpoint::from(address)),
        SocketTarget::AnyNode(map) => {
            let nodes = map.in_any_order();
            return Box::pin(greet_any(nodes, context, protocol, progress)).await;
        }
        SocketTarget::Chosen(choice) => {
            // Boxed, because it is large and most have none.
            return Box::pin(greet_chosen(choice, context, protocol, progress)).await;
        }
    };
    if let Some(endpoint) = endpoint {
        return greet_at(endpoint, None, context, protocol, progress).await;
    }
    let Some(sentinels) = context.sentinels() else {
        let endpoint = Endpoint::of(context.uri())?;
        return greet_at(endpoint, None, context, protocol, progress).await;
    };
    // Boxed, because it is large and most have none.
    Box::pin(async move {
        let time = context.options().connect_timeout();
        let found = sentinels.master(time).await?;
        let endpoint = found.endpoint().clone();
        greet_at(endpoint, Some(found), context, protocol, progress).await
    })
    .await
}

async fn greet_chosen(
    choice: &NodeChoice,
    context: &ClientContext,
    protocol: Protocol,
    progress: &Progress,
) -> Result<Greeted> {
    let address = choice.choose().ok_or_else(|| context.closed_error())?;
    let endpoint = Endpoint::from(&address);
    let mut greeted = greet_at(endpoint, None, context, protocol, progress).await?;
    greeted.following = Some(Box::new(choice.follow(address)));
    Ok(greeted)
}

/// Greets the first of `nodes` that can be connected to.
async fn greet_any(
    nodes: Vec<Endpoint>,
    context: &ClientContext,
    protocol: Protocol,
    progress: &Progress,
) -> Result<Greeted> {
    let mut failure = Error::new(ErrorKind::Internal, "the URI names no node");
    for endpoint in nodes {
        match greet_at(endpoint, None, context, protocol, progress).await {
            Err(error) if error.kind() == ErrorKind::Connect => failure = error,
            greeted => return greeted,
        }
    }
    Err(failure)
}

async fn greet_at(
    endpoint: Endpoint,
    found: Option<FoundMaster>,
    context: &ClientContext,
    protocol: Protocol,
    progress: &Progress,
) -> Result<Greeted> {
    let mut dialogue = Dialogue::open(endpoint, Peer::of(context), progress).await?;
    // Not before, or it would be asked in vain while the server is down.
    let login = Login::find(&dialogue.endpoint, context, progress).await?;
    dialogue.credentials = login.credentials;
    let mut greeting = Greeting {
        dialogue,
        pings: context.options().ping_before_activate(),
        wants_master: found.is_some(),
        reads: context.uri().topology() == RedisTopology::Cluster
            && context.options().read_from() != ReadFrom::Master,
    };
    let protocol = greeting.hold(protocol).await?;
    Ok(Greeted {
        socket: greeting.dialogue.socket,
        decoder: greeting.dialogue.decoder,
        protocol,
        announcements: login.announcements,
        following: found.map(|found| Box::new(found.follow())),
    })
}

/// What is said to a server that requests are going to be sent to.
struct Greeting<'a> {
    dialogue: Dialogue<'a>,
    pings: bool,
    /// Whether a replica will not do.
    wants_master: bool,
    /// Whether a replica is to answer for its master.
    reads: bool,
}

impl Greeting<'_> {
    /// Agrees on a protocol, logs in, says what the URI has to say, and makes sure that the server answers
    /// commands: under RESP2 one that wants a password says so only to the first of them.
    ///
    /// All of that in one write, unless there are credentials: should they be wrong, the server would refuse what
    /// follows them too, and fill its ACL LOG with it.
    async fn hold(&mut self, wanted: Protocol) -> Result<ProtocolVersion> {
        if wanted != Protocol::Resp2 {
            self.say_hello();
        }
        if self.dialogue.credentials.is_none() {
            self.introduce();
        }
        let protocol = match wanted {
            Protocol::Resp2 => ProtocolVersion::RESP2,
            Protocol::Resp3 => self.greeted().await.map(|()| ProtocolVersion::RESP3)?,
            Protocol::Auto => match self.greeted().await {
                Ok(()) => ProtocolVersion::RESP3,
                // A server from before Redis 6, or one whose HELLO is renamed.
                Err(error) if error.kind() == ErrorKind::Unsupported => ProtocolVersion::RESP2,
                Err(error) => return Err(error),
            },
        };
        if self.dialogue.credentials.is_some() {
            if protocol == ProtocolVersion::RESP2 {
                self.dialogue.log_in().await?;
            }
            self.introduce();
        }
        self.introduced().await?;
        Ok(protocol)
    }

    /// Asks to change to RESP3, and logs in.
    fn say_hello(&mut self) {
        match self.dialogue.credentials.clone() {
            Some(credentials) => {
                // HELLO wants a name; this is that of whoever gives none.
                let username = credentials.username().unwrap_or("default");
                self.dialogue
                    .say(&["HELLO", "3", "AUTH", username, credentials.password()]);
            }
            None => self.dialogue.say(&["HELLO", "3"]),
        }
    }

    /// Takes the answer to HELLO.
    async fn greeted(&mut self) -> Result<()> {
        let answer = self.dialogue.next(|decoder| match decoder.begun() {
            Some(b'-' | b'!') => decoder.next_value(),
            // What the server tells of itself is not needed.
            _ => Ok(decoder.skip_value()?.map(|()| Value::Nil)),
        });
        match answer.await? {
            Value::ServerError(error) => Err(self.dialogue.explain(error.into())),
            _ => {
                self.dialogue.is_logged_in = self.dialogue.credentials.is_some();
                Ok(())
            }
        }
    }

    /// Says what a login does not.
    fn introduce(&mut self) {
        let uri = self.dialogue.uri;
        if uri.database() != 0 {
            self.dialogue
                .require(&["SELECT", &uri.database().to_string()]);
        }
        if let Some(name) = uri.client_name() {
            self.dialogue.require(&["CLIENT", "SETNAME", name]);
        }
        if self.reads {
            // To a master it means nothing.
            self.dialogue.require(&["READONLY"]);
        }
        if self.pings {
            self.dialogue.say(&["PING"]);
        }
        if self.wants_master {
            self.dialogue.say(&["ROLE"]);
        }
        self.dialogue
            .say(&["CLIENT", "SETINFO", "LIB-NAME", library_name(uri)]);
        self.dialogue
            .say(&["CLIENT", "SETINFO", "LIB-VER", library_version(uri)]);
    }

    /// Takes the answers to that.
    async fn introduced(&mut self) -> Result<()> {
        self.dialogue.confirmed().await?;
        if self.pings {
            match self.dialogue.next(Decoder::next_value).await? {
                // A user who may not PING is logged in all the same.
                Value::ServerError(error) if error.code() == "NOPERM" => {
                    self.dialogue.refusal = Some(self.dialogue.explain(error.into()));
                }
                answer => self.dialogue.check(answer)?,
            }
        }
        let role = match self.wants_master {
            true => Some(self.dialogue.next(Decoder::next_value).await?),
            false => None,
        };
        // Servers before Redis 7.2 do not know SETINFO, and a user may not be allowed to.
        for _ in 0..2 {
            self.dialogue.next(Decoder::skip_value).await?;
        }
        match role {
            Some(role) => self.check_role(role).await,
            None => Ok(()),
        }
    }

    /// Makes sure that the server is a master: what names it may be behind, and a failover under way.
    async fn check_role(&mut self, answer: Value) -> Result<()> {
        let role = match answer {
            // Whoever may not ask for the role may be allowed to read of it.
            Value::ServerError(denied) => {
                self.dialogue.say(&["INFO", "replication"]);
                match self.dialogue.next(Decoder::next_value).await? {
                    Value::ServerError(_) => return Err(self.dialogue.explain(denied.into())),
                    info => Role::of_info(&info),
                }
            }
            answer => Role::of_answer(&answer),
        };
        match role {
            Role::Master => Ok(()),
            Role::Replica => Err(self.dialogue.no_master("it is a replica")),
            Role::Other => Err(self.dialogue.no_master("its role is another")),
        }
    }
}
