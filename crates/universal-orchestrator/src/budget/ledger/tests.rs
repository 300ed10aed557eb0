use super::*;

fn ledger(limit: u64) -> (Arc<Ledger>, Path) {
    let ledger = Arc::new(Ledger::default());
    let run = AccountId::Run(RunId::new("r").unwrap());
    ledger.open(AccountId::Global, Limits::unlimited().with_tokens(1_000));
    ledger.open(run.clone(), Limits::unlimited().with_tokens(limit));
    (ledger, vec![run, AccountId::Global].into())
}

#[test]
fn a_refused_reservation_takes_from_no_account() {
    let (ledger, path) = ledger(10);
    let shortage = ledger.hold(path.clone(), Amount::tokens(11)).unwrap_err();
    assert!(!shortage.may_return);
    assert_eq!(
        shortage.error.to_string(),
        "account run r has no room: tokens is at 0 of 10 and 11 is asked for; raise the limit or ask for less"
    );
    assert!(ledger.view(&AccountId::Global).unwrap().reserved.is_zero());
}

#[test]
fn a_bill_above_its_reservation_is_recorded_and_closes_the_account() {
    let (ledger, path) = ledger(10);
    let hold = ledger.hold(path.clone(), Amount::default()).unwrap();
    assert_eq!(hold.reserve(&Amount::tokens(4)), Ok(true));
    assert!(hold.settle(&Amount::tokens(4), &Amount::tokens(12)));
    let run = ledger.view(&path[0]).unwrap();
    assert_eq!(
        (run.spent.tokens, run.reserved.tokens, run.overdrawn),
        (12, 0, true)
    );
    let refused = ledger.hold(path, Amount::default()).unwrap_err();
    assert!(matches!(refused.error, BudgetError::Overdrawn { .. }));
}

#[test]
fn a_lost_agent_is_charged_its_whole_reservation() {
    let (ledger, path) = ledger(10);
    let hold = ledger.hold(path.clone(), Amount::tokens(7)).unwrap();
    hold.charge(&Amount::tokens(2)).unwrap();
    drop(hold);
    let run = ledger.view(&path[0]).unwrap();
    assert_eq!((run.spent.tokens, run.reserved.tokens), (7, 0));
}

#[test]
fn the_unused_part_is_returned() {
    let (ledger, path) = ledger(10);
    let hold = ledger.hold(path.clone(), Amount::tokens(7)).unwrap();
    hold.charge(&Amount::tokens(2)).unwrap();
    assert_eq!(
        hold.finish(&Amount::calls(1), false),
        Amount {
            tokens: 2,
            calls: 1,
            ..Amount::default()
        }
    );
    let run = ledger.view(&path[0]).unwrap();
    assert_eq!((run.spent.tokens, run.reserved.tokens), (2, 0));
    assert_eq!(hold.charge(&Amount::tokens(1)), Ok(false));
}

#[test]
fn zero_is_zero() {
    let (ledger, path) = ledger(0);
    assert!(ledger.hold(path.clone(), Amount::default()).is_ok());
    assert!(ledger.hold(path, Amount::tokens(1)).is_err());
}
