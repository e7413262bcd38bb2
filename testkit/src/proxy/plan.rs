//! What the proxy does to the bytes, and when: drawn from a seed, so that a run can be had again.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::random::Random;

/// What happens at a drawn byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Both sides are closed after the bytes before it were passed on.
    Close,
    /// Both sides are reset (RST), and what the proxy's sockets still hold is lost.
    Reset,
    /// Nothing moves in this direction for so long; the connection stays.
    Stall(Duration),
}

/// What is done to one direction.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The fault, and how many bytes of this direction lie before the next one. The bytes of all connections count
    /// together, so that fault k stands at one place in the traffic however it is spread over connections.
    pub every: Option<(RangeInclusive<u64>, Fault)>,
    /// Bytes per second, all connections together.
    pub rate: Option<u64>,
    /// How much later everything arrives.
    pub delay: Duration,
}

impl Faults {
    /// One kind of fault each time so many bytes have passed.
    pub fn every(bytes: RangeInclusive<u64>, fault: Fault) -> Self {
        Self { every: Some((bytes, fault)), ..Self::default() }
    }

    /// At most so many bytes per second.
    pub fn throttle(rate: u64) -> Self {
        Self { rate: Some(rate), ..Self::default() }
    }

    /// Everything arrives this much later.
    pub fn delay(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }
}

/// The whole schedule.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What the byte counts are drawn from.
    pub seed: u64,
    /// From the client to the server.
    pub to_server: Faults,
    /// From the server to the client.
    pub to_client: Faults,
    /// The send and receive buffers of the proxy's own sockets, in bytes; the system's own choice where `None`. Set
    /// it where the bytes that a cut can cost must have a bound.
    pub socket_buffer: Option<u32>,
    /// Whether to keep what clients send, for [`super::FaultProxy::recorded`].
    pub record: bool,
}

/// Counts one direction's bytes down to the next fault.
#[derive(Debug)]
pub(super) struct Fuse {
    random: Random,
    every: Option<(RangeInclusive<u64>, Fault)>,
    left: u64,
}

impl Fuse {
    pub(super) fn new(seed: u64, faults: &Faults) -> Self {
        let mut fuse = Self { random: Random::seeded(seed), every: faults.every.clone(), left: u64::MAX };
        fuse.draw();
        fuse
    }

    /// Burns up to `bytes`: how many of them pass before anything happens, and the fault if it is then due.
    pub(super) fn burn(&mut self, bytes: usize) -> (usize, Option<Fault>) {
        let pass = usize::try_from(self.left).map_or(bytes, |left| left.min(bytes));
        self.left -= pass as u64;
        let due = if self.left == 0 { self.every.as_ref().map(|(_, fault)| *fault) } else { None };
        if due.is_some() {
            self.draw();
        }
        (pass, due)
    }

    fn draw(&mut self) {
        if let Some((bytes, _)) = &self.every {
            self.left = self.random.within(bytes).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fuse_ends_at_the_drawn_byte_and_begins_anew() {
        let mut fuse = Fuse::new(1, &Faults::every(10..=10, Fault::Close));
        assert_eq!(fuse.burn(4), (4, None));
        assert_eq!(fuse.burn(100), (6, Some(Fault::Close)));
        assert_eq!(fuse.burn(10), (10, Some(Fault::Close)));
        assert_eq!(Fuse::new(1, &Faults::default()).burn(1 << 20), (1 << 20, None));
    }
}
