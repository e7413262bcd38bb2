//! Every operation, role and owner. The table is written out: a rule that changes by mistake is seen here.

use super::*;

/// What a row says, for: viewer owning, viewer not owning, uploader owning, uploader not owning, admin owning, admin
/// not owning. `+` allowed, `-` forbidden, `0` not found.
const TABLE: &[(Operation, &str)] = &[
    (Operation::ReadAccount, "+0 +0 +0"),
    (Operation::ChangePassword, "+0 +0 +0"),
    (Operation::ChangeNotifications, "+0 +0 +0"),
    (Operation::ListSessions, "+0 +0 +0"),
    (Operation::EndSession, "+0 +0 +0"),
    (Operation::ListTokens, "+0 +0 +0"),
    (Operation::MakeToken, "+0 +0 +0"),
    (Operation::DeleteToken, "+0 +0 +0"),
    (Operation::CreateUpload, "-- ++ ++"),
    (Operation::WriteUpload, "-0 +0 +0"),
    (Operation::EndUpload, "-0 +0 ++"),
    (Operation::ListUploads, "+0 +0 +0"),
    (Operation::ListAllUploads, "-- -- ++"),
    (Operation::ListAssets, "+0 +0 +0"),
    (Operation::ListAllAssets, "-- -- ++"),
    (Operation::ReadAsset, "+0 +0 ++"),
    (Operation::ChangeAsset, "-0 +0 ++"),
    (Operation::PublishAsset, "-0 +0 +-"),
    (Operation::ChangeCaptions, "-0 +0 ++"),
    (Operation::DeleteAsset, "-0 +0 ++"),
    (Operation::RestoreAsset, "-0 +0 ++"),
    (Operation::ReadStatistics, "+0 +0 ++"),
    (Operation::ListViewers, "+0 +0 +0"),
    (Operation::ListAllViewers, "-- -- ++"),
    (Operation::ReadPrivateBytes, "+0 +0 +0"),
    (Operation::MakeGrant, "-0 +0 +-"),
    (Operation::ListJobs, "+0 +0 +0"),
    (Operation::ListAllJobs, "-- -- ++"),
    (Operation::RetryJob, "-0 +0 ++"),
    (Operation::CancelJob, "-0 +0 ++"),
    (Operation::ReadEvents, "+0 +0 +0"),
    (Operation::ReadAllEvents, "-- -- ++"),
    (Operation::CreateWebhook, "-- ++ ++"),
    (Operation::ListWebhooks, "+0 +0 +0"),
    (Operation::UseWebhook, "+0 +0 +0"),
    (Operation::ListAllDeliveries, "-- -- ++"),
    (Operation::ReadDelivery, "+0 +0 ++"),
    (Operation::ReplayDelivery, "-0 +0 ++"),
    (Operation::Purge, "-- -- ++"),
    (Operation::ListEdges, "-- -- ++"),
    (Operation::ReadStorage, "-- -- ++"),
    (Operation::ReadAudit, "-- -- ++"),
    (Operation::ListAccounts, "-- -- ++"),
    (Operation::MakeAccount, "-- -- ++"),
    (Operation::ChangeAccount, "-- -- ++"),
];

#[test]
fn the_table_of_access_is_as_written() {
    for (operation, row) in TABLE {
        let mut said = String::new();
        for role in Role::ALL {
            for is_owner in [true, false] {
                said.push(match allows(role, *operation, is_owner) {
                    Verdict::Allowed => '+',
                    Verdict::Forbidden => '-',
                    Verdict::NotFound => '0',
                });
            }
            said.push(' ');
        }
        assert_eq!(said.trim_end(), *row, "{operation:?}: viewer, uploader, admin; own and another's");
    }
}

#[test]
fn the_table_of_access_has_every_operation_once() {
    let listed: Vec<Operation> = TABLE.iter().map(|(operation, _)| *operation).collect();
    assert_eq!(listed, Operation::ALL);
}

/// Invariant 9: what an administrator may do ends at another's private bytes, and it cannot permit itself either.
#[test]
fn invariant_9_no_role_reads_or_gives_away_anothers_private_bytes() {
    for role in Role::ALL {
        assert_ne!(allows(role, Operation::ReadPrivateBytes, false), Verdict::Allowed, "{role}");
        assert_ne!(allows(role, Operation::MakeGrant, false), Verdict::Allowed, "{role}");
        assert_ne!(allows(role, Operation::PublishAsset, false), Verdict::Allowed, "{role}");
    }
}

#[test]
fn a_viewers_token_reads_its_account_and_nothing_else() {
    for operation in Operation::ALL {
        let reaches = token_reaches(Role::Viewer, *operation);
        assert_eq!(reaches, *operation == Operation::ReadAccount, "{operation:?}");
        assert!(token_reaches(Role::Uploader, *operation) && token_reaches(Role::Admin, *operation));
    }
}

#[test]
fn roles_are_read_as_they_are_written() {
    for role in Role::ALL {
        assert_eq!(role.to_string().parse(), Ok(role));
    }
    for text in ["", "Admin", "root", "admin "] {
        assert_eq!(text.parse::<Role>(), Err(InvalidRole), "{text}");
    }
}
