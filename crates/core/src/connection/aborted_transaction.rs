//! The error of a transaction that the server refused, in redis' own form.
//!
//! `RedisError` keeps the index of each command that was refused, and has no constructor for that. So
//! redis' own connection is made to say it, over a pipe in memory.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisError, ServerError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Makes the error of a transaction of `commands` commands, of which the server refused some.
pub(super) async fn aborted_transaction(
    commands: usize,
    refused: &[(usize, ServerError)],
) -> RedisError {
    replay(commands, refused)
        .await
        .unwrap_or_else(|| refused_without_indices(refused))
}

async fn replay(commands: usize, refused: &[(usize, ServerError)]) -> Option<RedisError> {
    let mut replies = b"+OK\r\n".to_vec();
    for index in 0..commands {
        match refused.iter().find(|(other, _)| *other == index) {
            Some((_, error)) => replies.extend(frame(error)),
            None => replies.extend(b"+QUEUED\r\n"),
        }
    }
    replies.extend(b"-EXECABORT Transaction discarded because of previous errors.\r\n");

    let mut pipeline = redis::pipe();
    pipeline.atomic();
    for _ in 0..commands {
        pipeline.cmd("PING");
    }
    let mut packed = pipeline.get_packed_pipeline();
    let (ours, mut server) = tokio::io::duplex(packed.len().max(replies.len()));
    let silent = RedisConnectionInfo::default().set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let (mut connection, driver) = MultiplexedConnection::new_with_config(&silent, ours, config)
        .await
        .ok()?;
    let request = async {
        let outcome = connection.send_packed_commands(&pipeline, commands + 1, 1);
        let answer = async {
            // redis throws away a reply that comes before its request.
            server.read_exact(&mut packed).await?;
            server.write_all(&replies).await
        };
        tokio::join!(outcome, answer).0.err()
    };
    tokio::select! {
        error = request => error,
        () = driver => None,
    }
}

fn frame(error: &ServerError) -> Vec<u8> {
    let details = error.details().unwrap_or_default();
    format!("-{} {details}\r\n", error.code()).into_bytes()
}

fn refused_without_indices(refused: &[(usize, ServerError)]) -> RedisError {
    match refused.first() {
        Some((_, error)) => error.clone().into(),
        None => (redis::ErrorKind::Client, "the transaction was refused").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_an_abort_that_knows_which_commands_were_refused() {
        let value = redis::parse_redis_value(b"-ERR unknown command 'NOPE'\r\n").unwrap();
        let refused = vec![(
            1,
            ServerError::try_from(value.extract_error().unwrap_err()).unwrap(),
        )];
        let error = pollster::block_on(aborted_transaction(3, &refused));
        assert_eq!(error.code(), Some("EXECABORT"));
        let errors = error.into_server_errors().unwrap();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].0, 1);
        assert_eq!(errors[0].1, refused[0].1);
    }
}
