//! A connection to BuildKit over the pipes that it started the frontend with.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rbc_proto::{Message, Status};
use rbc_rpc::{Channel, code, status};
use tokio::net::unix::pipe;
use tokio::runtime::Runtime;

/// A connection on which calls are made.
#[derive(Debug)]
pub struct Connection {
    channel: Channel,
    runtime: Runtime,
}

impl Connection {
    /// Connects over standard input and output.
    ///
    /// # Errors
    /// They are no pipes, or nobody speaks HTTP/2 on them.
    pub fn over_stdio() -> io::Result<Connection> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        Connection::over(input, output)
    }

    /// Connects over two pipes. They are read as such: tokio's own standard input reads in a thread that cannot be stopped,
    /// which would keep the process alive after the build.
    ///
    /// # Errors
    /// They are no pipes, or nobody speaks HTTP/2 on them.
    pub fn over(input: OwnedFd, output: OwnedFd) -> io::Result<Connection> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let channel = runtime.block_on(async {
            let pipes = tokio::io::join(pipe::Receiver::from_owned_fd(input)?, pipe::Sender::from_owned_fd(output)?);
            Channel::over(pipes, "localhost").await.map_err(|e| io::Error::other(e.message))
        })?;
        Ok(Connection { channel, runtime })
    }

    /// Makes a call.
    ///
    /// # Errors
    /// What the other side answers, or that it does not.
    pub fn call<Q: Message, A: Message + Default>(&self, path: &str, request: &Q) -> Result<A, Status> {
        self.runtime.block_on(self.channel.unary(path, &[], request))
    }

    /// Makes several calls at once; the answers stand in their order.
    pub fn call_all<Q: Message + Clone + 'static, A: Message + Default + 'static>(
        &self,
        path: &str,
        requests: &[Q],
    ) -> Vec<Result<A, Status>> {
        self.runtime.block_on(async {
            let spawn = |request: &Q| {
                let (channel, path, request) = (self.channel.clone(), path.to_owned(), request.clone());
                tokio::spawn(async move { channel.unary(&path, &[], &request).await })
            };
            let mut answers = Vec::with_capacity(requests.len());
            for task in requests.iter().map(spawn).collect::<Vec<_>>() {
                answers.push(task.await.unwrap_or_else(|e| Err(status(code::INTERNAL, e.to_string()))));
            }
            answers
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rbc_proto::{Bytes, BytesMessage};
    use rbc_rpc::{Handler, Reply, Request, serve};

    use super::*;

    /// Answers a message with itself, and an empty one with an error.
    struct Echo;

    impl Handler for Echo {
        async fn handle(&self, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
            let message: BytesMessage = request.message().await?;
            match message.data.is_empty() {
                true => Err(status(code::UNIMPLEMENTED, "nothing to echo")),
                false => reply.message(&message).await,
            }
        }
    }

    #[test]
    fn calls_over_pipes() {
        let (theirs_in, our_out) = io::pipe().unwrap();
        let (our_in, theirs_out) = io::pipe().unwrap();
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            runtime.block_on(async {
                let input = pipe::Receiver::from_owned_fd(theirs_in.into()).unwrap();
                let pipes = tokio::io::join(input, pipe::Sender::from_owned_fd(theirs_out.into()).unwrap());
                _ = serve(pipes, Arc::new(Echo)).await;
            });
        });
        let connection = Connection::over(our_in.into(), our_out.into()).unwrap();
        // Larger than any window.
        let large = BytesMessage { data: vec![7; 20 << 20].into() };
        let all: Vec<Result<BytesMessage, Status>> =
            connection.call_all("/x/Echo", &[large.clone(), BytesMessage::default()]);
        assert_eq!(all[0].as_ref().unwrap(), &large);
        let error = all[1].as_ref().unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (code::UNIMPLEMENTED, "nothing to echo"));
        let small = BytesMessage { data: Bytes::from_static(b"a") };
        assert_eq!(connection.call::<_, BytesMessage>("/x/Echo", &small), Ok(small));
        drop(connection);
        server.join().unwrap();
    }
}
