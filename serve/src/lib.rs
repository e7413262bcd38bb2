//! What both services need around a router: clock and randomness, listener, drain, admin listener, telemetry.
