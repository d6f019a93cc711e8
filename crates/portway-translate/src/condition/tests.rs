use super::*;

fn conditions() -> Conditions {
    Conditions::new(7, Timestamp::UNIX_EPOCH)
}

#[test]
fn conditions_come_in_the_order_of_their_types_and_once_each() {
    let mut it = conditions();
    it.set(ConditionType::ResolvedRefs, true, Reason::ResolvedRefs, "");
    it.set(ConditionType::Accepted, true, Reason::Accepted, "");
    it.set(ConditionType::Accepted, false, Reason::Pending, "later");
    let written = it.finish(&[]);
    let types: Vec<_> = written.iter().map(|it| (it.type_.as_str(), it.status.as_str())).collect();
    assert_eq!(types, [("Accepted", "False"), ("ResolvedRefs", "True")]);
    assert_eq!(written[0].observed_generation, Some(7));
}

#[test]
fn the_first_reason_stays_and_messages_add_up() {
    let mut it = conditions();
    it.set(ConditionType::ResolvedRefs, true, Reason::ResolvedRefs, "fine");
    it.fail(ConditionType::ResolvedRefs, Reason::InvalidCertificateRef, "One.");
    it.fail(ConditionType::ResolvedRefs, Reason::RefNotPermitted, "Two.");
    it.fail(ConditionType::ResolvedRefs, Reason::RefNotPermitted, "Two.");
    assert_eq!(
        it.get(ConditionType::ResolvedRefs),
        Some((false, Reason::InvalidCertificateRef, "One. Two."))
    );
}

#[test]
fn the_transition_time_changes_with_the_status_only() {
    let then = Time(Timestamp::from_second(1_000).unwrap());
    let mut it = conditions();
    it.set(ConditionType::Accepted, true, Reason::Accepted, "");
    let mut previous = it.clone().finish(&[]);
    previous[0].last_transition_time = then.clone();
    assert_eq!(it.clone().finish(&previous)[0].last_transition_time, then);
    it.set(ConditionType::Accepted, false, Reason::Pending, "");
    assert_eq!(it.finish(&previous)[0].last_transition_time, Time(Timestamp::UNIX_EPOCH));
}

#[test]
fn a_message_is_cut_at_what_the_api_server_takes() {
    assert_eq!(truncated("é".repeat(MAX_MESSAGE)).len(), MAX_MESSAGE - 1);
    assert_eq!(truncated("short".to_owned()), "short");
}
