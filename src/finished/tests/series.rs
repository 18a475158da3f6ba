//! When a series appears, counts and goes.

use super::*;

#[test]
fn series_show_0_until_they_are_old_enough_whatever_they_hold() {
    let finished = finished();
    let failed = ended(1, StepStatus::Failed, 60);
    polls(&finished, "a", &[running(1)], at(0));
    see(
        &finished,
        ("a", &labels("a")),
        Some(&running(1)),
        &failed,
        at(61),
    );
    for (now, count) in [(at(61), 0), (at(119), 0), (at(120), 1)] {
        let shown = counters(&finished, true, now);
        assert_eq!(shown[1], format!("team=\"a\",\"FAILED\",{count}"));
        let (buckets, sum) = histogram(&finished, StepStatus::Failed, now);
        assert_eq!(
            (buckets, sum),
            (vec![0, count, count, count], count * 50_000)
        );
    }
}

#[test]
fn series_are_counted_again_only_after_one_of_them_has_changed() {
    let finished = finished();
    polls(&finished, "a", &[running(1)], at(0));
    let counted = |count| {
        let series = finished.snapshot(moment(at(61)).instant).series;
        let chunk = &series.group(0).unwrap().chunks().next().unwrap();
        chunk.series_count(0, |_| count)
    };
    assert_eq!(counted(5), 5);
    assert_eq!(counted(6), 5);
    let end = ended(1, StepStatus::Completed, 60);
    let target = ("a", &labels("a"));
    see(&finished, target, Some(&running(1)), &end, at(61));
    assert_eq!(counted(7), 7);
}

#[test]
fn series_of_a_rare_status_is_held_back_from_its_own_birth() {
    let finished = finished();
    let skipped = ended(1, StepStatus::Skipped, 60);
    polls(&finished, "a", &[pending(1)], at(0));
    see(
        &finished,
        ("a", &labels("a")),
        Some(&pending(1)),
        &skipped,
        at(61),
    );
    assert_eq!(
        counters(&finished, true, at(180)).last().unwrap(),
        r#"team="a","SKIPPED",0"#
    );
    assert_eq!(
        counters(&finished, false, at(181)),
        [r#"team="a","SKIPPED",1"#]
    );
}

#[test]
fn targets_with_the_same_labels_share_a_series_until_the_last_of_them_goes() {
    let first = finished();
    let shared = labels("both");
    for (target, number) in [("a", 1), ("b", 2)] {
        let end = ended(number, StepStatus::Completed, 60);
        see(
            &first,
            (target, &shared),
            Some(&running(number)),
            &end,
            at(61),
        );
    }
    let expected = [r#"team="both","COMPLETED",2"#];
    assert_eq!(counters(&first, false, late()), expected);
    let target = |name: &str| (name.to_owned(), shared.clone());
    let second = first.configured(&settings(), &[target("b")], &[], moment(at(62)).instant);
    assert_eq!(counters(&second, false, late()), expected);
    // One that comes back owns what it sees, not what it once saw.
    let third = second.configured(&settings(), &[target("a")], &[], moment(at(63)).instant);
    assert!(third.snapshot(moment(late()).instant).series.is_empty());
    assert_eq!(counters(&first, false, late()), expected);
}

#[test]
fn reload_drops_the_series_of_targets_that_go_or_are_labelled_otherwise() {
    let finished = finished();
    for (number, target) in ["stays", "goes", "changes"].into_iter().enumerate() {
        let end = ended(number, StepStatus::Completed, 60);
        polls(&finished, target, &[running(number), end], at(61));
    }
    let targets = [("stays", "stays"), ("changes", "other")]
        .map(|(name, team)| (name.to_owned(), labels(team)));
    let reloaded = finished.configured(&settings(), &targets, &[], moment(at(62)).instant);
    assert_eq!(
        counters(&reloaded, true, late()),
        [
            r#"team="stays","COMPLETED",1"#,
            r#"team="stays","FAILED",0"#
        ]
    );
    // Under other labels it is another series, which what was counted does not enter.
    let end = ended(2, StepStatus::Completed, 60);
    see(&reloaded, ("changes", &labels("other")), None, &end, at(63));
    let shown = counters(&reloaded, true, late());
    assert_eq!(shown[0], r#"team="other","COMPLETED",0"#);
}

#[test]
fn other_buckets_begin_anew_and_are_held_back_while_the_counter_goes_on() {
    let finished = finished();
    let end = ended(1, StepStatus::Completed, 60);
    polls(&finished, "a", &[running(1), end], at(61));
    let targets = [("a".to_owned(), labels("a"))];
    let same = finished.configured(&settings(), &targets, &[], moment(at(200)).instant);
    assert_eq!(
        histogram(&same, StepStatus::Completed, at(200)),
        (vec![0, 1, 1, 1], 50_000)
    );
    let other = FinishedSettings {
        buckets: vec![Duration::from_millis(1_500)],
        ..settings()
    };
    let again = same.configured(&other, &targets, &[], moment(at(200)).instant);
    let end = ended(2, StepStatus::Completed, 210);
    polls(&again, "a", &[running(2), end], at(211));
    assert_eq!(
        counters(&again, false, at(211)),
        [r#"team="a","COMPLETED",2"#]
    );
    let shown = |now| histogram(&again, StepStatus::Completed, now);
    assert_eq!(shown(at(319)), (vec![0, 0], 0));
    assert_eq!(shown(at(320)), (vec![0, 1], 50_000));
}

#[test]
fn longer_warmup_does_not_hide_what_was_shown() {
    let finished = finished();
    let end = ended(1, StepStatus::Completed, 60);
    polls(&finished, "a", &[running(1), end], at(61));
    let longer = FinishedSettings {
        warmup: KEEP,
        ..settings()
    };
    let targets = [("a".to_owned(), labels("a"))];
    let reloaded = finished.configured(&longer, &targets, &[], moment(at(200)).instant);
    assert_eq!(
        counters(&reloaded, false, at(200)),
        [r#"team="a","COMPLETED",1"#]
    );
}

#[test]
fn snapshot_is_not_reached_by_what_is_counted_later() {
    let finished = finished();
    polls(&finished, "a", &[running(1)], at(0));
    let snapshot = finished.snapshot(moment(late()).instant);
    let end = ended(1, StepStatus::Completed, 60);
    see(
        &finished,
        ("a", &labels("a")),
        Some(&running(1)),
        &end,
        at(61),
    );
    assert!(
        snapshot
            .series
            .iter()
            .all(|series| series.count(snapshot.reading.now) == 0)
    );
}
