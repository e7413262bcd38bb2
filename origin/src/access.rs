//! Who may do what: every operation, by the role of whoever asks and by whose the thing is. Pure, and the only place
//! that knows; what is `private`, `unlisted` or `public` to viewers is decided where bytes are read.
//!
//! Another's thing and one that does not exist get the same answer, except where a role sees it anyway.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Manages its own account, and watches what is public, unlisted or granted.
    Viewer,
    /// Uploads, and does everything with what it uploaded.
    Uploader,
    /// Sees and administers everything, but reads nobody else's private bytes (invariant 9).
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Uploader, Self::Admin];

    /// As it stands in the API and in the catalogue.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Uploader => "uploader",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is admin, uploader or viewer")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(InvalidRole)
    }
}

macro_rules! operations {
    ($($(#[doc = $doc:literal])* $name:ident: $rule:ident;)*) => {
        /// What can be asked for with an account.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[doc = $doc])* $name,)* }

        impl Operation {
            /// Every operation, for tables.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            const fn rule(self) -> Rule {
                match self { $(Self::$name => Rule::$rule,)* }
            }
        }
    };
}

/// The kinds of rule there are.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Its own account's affairs: everyone, and nobody for anyone else.
    Own,
    /// What uploaders do with what is theirs; nobody for anyone else, and administrators are told so.
    OwnersOnly,
    /// The same, where another's is hidden from administrators too.
    Hidden,
    /// What uploaders do with what is theirs, and administrators with everyone's.
    OwnersAndAdmins,
    /// Reading what is one's own, whatever role one has by now; administrators read everyone's.
    ReadersAndAdmins,
    /// Bytes that are one's own, whatever role one has by now, and nobody else's.
    Bytes,
    /// Things of nobody in particular that uploaders make.
    Uploaders,
    /// Administrators.
    Admins,
}

operations! {
    /// See the account itself.
    ReadAccount: Own;
    /// Set its password.
    ChangePassword: Own;
    /// Set what it wants mail about.
    ChangeNotifications: Own;
    /// See where it is logged in.
    ListSessions: Own;
    /// End one of its sessions.
    EndSession: Own;
    /// See its tokens.
    ListTokens: Own;
    /// Make a token.
    MakeToken: Own;
    /// End a token.
    DeleteToken: Own;

    /// Begin an upload.
    CreateUpload: Uploaders;
    /// Send bytes to an upload, or ask where it stands.
    WriteUpload: Hidden;
    /// End an upload.
    EndUpload: OwnersAndAdmins;
    /// See one's own uploads in progress.
    ListUploads: Own;
    /// See everyone's.
    ListAllUploads: Admins;

    /// See one's own assets.
    ListAssets: Own;
    /// See everyone's.
    ListAllAssets: Admins;
    /// See the record of an asset.
    ReadAsset: ReadersAndAdmins;
    /// Change its name or its metadata, or let fewer watch it.
    ChangeAsset: OwnersAndAdmins;
    /// Let others read what was private (invariant 9): an administrator could let itself.
    PublishAsset: OwnersOnly;
    /// Put captions beside it, or take them away.
    ChangeCaptions: OwnersAndAdmins;
    /// Delete it.
    DeleteAsset: OwnersAndAdmins;
    /// Take it out of the trash.
    RestoreAsset: OwnersAndAdmins;
    /// See how often it was watched.
    ReadStatistics: ReadersAndAdmins;
    /// See who is watching one's own.
    ListViewers: Own;
    /// See who is watching anything.
    ListAllViewers: Admins;
    /// Read its bytes where they are private (invariant 9).
    ReadPrivateBytes: Bytes;
    /// Give others permission to read its bytes (invariant 9).
    MakeGrant: OwnersOnly;

    /// See what is being made of one's own assets.
    ListJobs: Own;
    /// See what is being made of everyone's, by whom, and the logs.
    ListAllJobs: Admins;
    /// Try a job again.
    RetryJob: OwnersAndAdmins;
    /// Cancel a job.
    CancelJob: OwnersAndAdmins;

    /// Hear of what happens to one's own.
    ReadEvents: Own;
    /// Hear of what happens to anyone's.
    ReadAllEvents: Admins;
    /// Have events sent somewhere.
    CreateWebhook: Uploaders;
    /// See one's own webhooks and what was sent to them.
    ListWebhooks: Own;
    /// See, change, test or delete a webhook.
    UseWebhook: Own;
    /// See what was sent to everyone's.
    ListAllDeliveries: Admins;
    /// See what was sent to a webhook.
    ReadDelivery: ReadersAndAdmins;
    /// Send it again.
    ReplayDelivery: OwnersAndAdmins;

    /// Have edges forget something, and see which have.
    Purge: Admins;
    /// See the fleet.
    ListEdges: Admins;
    /// See how much is stored.
    ReadStorage: Admins;
    /// See what administrators did, and who logged in.
    ReadAudit: Admins;
    /// See everyone's accounts.
    ListAccounts: Admins;
    /// Make an account where sign-up is closed.
    MakeAccount: Admins;
    /// Set an account's role or quota, or disable it.
    ChangeAccount: Admins;
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allowed,
    /// It is there, and not for this role.
    Forbidden,
    /// As far as this account is concerned there is no such thing.
    NotFound,
}

/// Whether an account of `role` may do it. `is_owner` says whether the thing it is done to is the account's own; for
/// what is done to nothing in particular it is `true`.
pub const fn allows(role: Role, operation: Operation, is_owner: bool) -> Verdict {
    use Role::{Admin, Uploader, Viewer};
    use Verdict::{Allowed, Forbidden, NotFound};
    match (operation.rule(), role, is_owner) {
        (Rule::Own | Rule::Bytes | Rule::ReadersAndAdmins, _, true) => Allowed,
        (Rule::Own | Rule::Bytes, _, false) => NotFound,
        (Rule::OwnersOnly | Rule::Hidden | Rule::OwnersAndAdmins, Uploader | Admin, true) => Allowed,
        (Rule::OwnersOnly | Rule::Hidden | Rule::OwnersAndAdmins, Viewer, true) => Forbidden,
        (Rule::OwnersAndAdmins | Rule::ReadersAndAdmins, Admin, false) => Allowed,
        // An administrator has the record before its eyes: that it is not there would be a lie.
        (Rule::OwnersOnly, Admin, false) => Forbidden,
        (Rule::OwnersOnly | Rule::Hidden | Rule::OwnersAndAdmins | Rule::ReadersAndAdmins, _, false) => {
            NotFound
        }
        (Rule::Uploaders, Uploader | Admin, _) | (Rule::Admins, Admin, _) => Allowed,
        (Rule::Uploaders | Rule::Admins, _, _) => Forbidden,
    }
}

/// Whether a token may be used for what its account may do: a viewer's reads its account and nothing else.
pub const fn token_reaches(role: Role, operation: Operation) -> bool {
    !matches!(role, Role::Viewer) || matches!(operation, Operation::ReadAccount)
}

#[cfg(test)]
mod tests;
