//! The connections that clients share, as those find them who open one.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::PushSink;
use super::carrier::{Carrier, Membership};
use crate::{ClientContext, Result};

/// Those that one more client may share. Short: one for each way in which clients are opened.
#[derive(Default)]
pub(crate) struct Carriers(Mutex<Vec<Weak<Carrier>>>);

impl Carriers {
    /// Has `context` share a connection, which is opened with `pushes` if there is none.
    pub(super) fn enter(
        &self,
        context: &ClientContext,
        pushes: Option<&Arc<dyn PushSink>>,
    ) -> Result<Membership> {
        let (carrier, is_new) = {
            let mut carriers = self.0.lock();
            let found = carriers.iter().filter_map(Weak::upgrade);
            let found = found.into_iter().find(|carrier| carrier.suits(context));
            let is_new = found.is_none();
            let carrier = match found {
                Some(carrier) => carrier,
                None => Carrier::new(context)?,
            };
            if is_new {
                carriers.push(Arc::downgrade(&carrier));
            }
            carrier.users.fetch_add(1, Ordering::Relaxed);
            (carrier, is_new)
        };
        let membership = Membership::new(&carrier);
        if is_new {
            // Not under the lock: if the resources are shut down, the task ends here and takes it out.
            carrier.start(pushes.cloned());
        }
        Ok(membership)
    }

    /// Notes that one client less shares `carrier`. Returns whether nobody does any more; then nobody finds it.
    pub(super) fn leave(&self, carrier: &Carrier) -> bool {
        let mut carriers = self.0.lock();
        let is_unwanted = carrier.users.fetch_sub(1, Ordering::Relaxed) == 1;
        if is_unwanted {
            forget(&mut carriers, carrier);
        }
        is_unwanted
    }

    /// Has nobody find `carrier` any more.
    pub(super) fn forget(&self, carrier: &Carrier) {
        forget(&mut self.0.lock(), carrier);
    }
}

fn forget(carriers: &mut Vec<Weak<Carrier>>, carrier: &Carrier) {
    carriers.retain(|other| other.strong_count() > 0 && !std::ptr::eq(other.as_ptr(), carrier));
}
