//! One connection as callers reach it: where they leave requests, and who moves the bytes.

use std::sync::Arc;

use redis::{Cmd, Pipeline};

use super::driver::{Driver, Lost};
use super::endpoint::Endpoint;
use super::outbox::{Leading, Left, Outbox};
use super::shared_driver::{SharedDriver, Turn};
use crate::wait::is_io_thread;
use crate::{Deadline, Error, InFlight, KeyPrefix, Result};

/// An outbox, also while there is no connection, and the driver that empties it while there is one.
pub(super) struct Wire {
    outbox: Arc<Outbox>,
    driver: SharedDriver,
    leading: Leading,
}

impl Wire {
    /// `leading` is when callers may do the work of the driver's task.
    pub(super) fn new(outbox: &Arc<Outbox>, leading: Leading) -> Arc<Self> {
        Arc::new(Self {
            outbox: Arc::clone(outbox),
            driver: SharedDriver::default(),
            leading,
        })
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Leaves one command.
    pub(super) fn put(&self, cmd: &Cmd, in_flight: InFlight) -> Result<Left> {
        self.put_prefixed(cmd, None, in_flight)
    }

    /// Leaves one command, with `prefix` before its first argument.
    pub(super) fn put_prefixed(
        &self,
        cmd: &Cmd,
        prefix: Option<&KeyPrefix>,
        in_flight: InFlight,
    ) -> Result<Left> {
        // One that nobody waits for is sent by nobody either.
        let leading = match cmd.is_no_response() {
            true => Leading::Never,
            false => self.leading(),
        };
        self.outbox.put_prefixed(cmd, prefix, in_flight, leading)
    }

    /// Leaves a login of our own, which counts for nobody.
    pub(super) fn put_login(&self, cmd: &Cmd, deadline: Deadline) -> Result<Left> {
        self.outbox.put_login(cmd, InFlight::uncounted(deadline))
    }

    /// Leaves a pipeline, whose bytes stay together.
    pub(super) fn put_pipeline(&self, pipeline: &Pipeline, in_flight: InFlight) -> Result<Left> {
        let leading = self.leading();
        self.outbox.put_pipeline(pipeline, in_flight, leading)
    }

    /// Leaves commands, each with a reply of its own, whose bytes stay together.
    pub(super) fn put_each<'a>(
        &self,
        commands: impl ExactSizeIterator<Item = &'a Cmd> + Clone,
        in_flight: InFlight,
    ) -> Result<Left> {
        let leading = self.leading();
        self.outbox.put_each(commands, in_flight, leading)
    }

    fn leading(&self) -> Leading {
        // The task is there itself.
        if is_io_thread() {
            Leading::Never
        } else {
            self.leading
        }
    }

    /// Runs `driver` until its connection ends, and says why it did. `lost` has the address, if that is not the URI's.
    pub(super) async fn run(
        &self,
        driver: Box<Driver>,
        lost: impl Fn(Option<&Endpoint>, String) -> Error,
    ) -> Lost {
        self.driver.run(driver, lost).await
    }

    /// Wakes the driver, or who has its place while there is none.
    pub(super) fn wake(&self) {
        self.driver.wake();
        self.outbox.wake();
    }

    /// Fails the requests of clients that were closed and wait no more, wherever they are, and completes when that is
    /// done.
    pub(super) async fn cut(&self) {
        self.outbox.cut();
        self.driver.cut().await;
    }

    /// Sends what is there and takes what comes, for the caller who leads.
    pub(super) fn turn(&self) -> Turn {
        self.driver.turn()
    }

    /// The request of this number leads no more. The driver goes on if replies are due, and if
    /// something was left meanwhile.
    pub(super) fn resign(&self, number: u64, is_due: bool) {
        if self.outbox.resign(number, is_due) {
            self.wake();
        }
    }
}
