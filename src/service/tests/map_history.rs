//! Whatever becomes of sites and whatever is asked of them: each that matches counts once in every picture of the map, and no
//! account counts another's.
//!
//! `acts` what becomes of sites, `model` what they are then; `filters` random filters with a matcher of their own; `shown` what
//! pictures and lists must hold, `calls` what all other calls must answer. Nothing of it asks the parser, the evaluator or
//! the map what to expect.

mod acts;
mod calls;
mod filters;
mod model;
mod shown;

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

use super::*;
use crate::service::map::ZOOM_MAX;
use acts::{any_act, one_of_each};
use filters::{Shape, any_shape};
use model::Fleet;

/// Few, because each has stores on a disk.
const CASES: u32 = 16;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn cases() -> TestRunner {
    TestRunner::new(Cases { cases: CASES, failure_persistence: None, ..Cases::default() })
}

fn any_zooms() -> impl Strategy<Value = [u8; 3]> {
    prop::array::uniform3(0..=ZOOM_MAX)
}

#[test]
fn after_any_history_each_matching_site_counts_once_whatever_the_filter_and_the_zoom() {
    let runtime = runtime();
    let acts = prop::collection::vec(any_act(), 3..25);
    let rounds = prop::collection::vec((acts, any_shape(), any_zooms()), 1..5);
    cases()
        .run(&rounds, |rounds| {
            runtime.block_on(async {
                let world = World::new().await;
                let mut fleet = Fleet::of(&world, &world.account).await;
                for (acts, shape, zooms) in &rounds {
                    for act in acts {
                        fleet.act(act).await;
                    }
                    shown::check(&fleet, shape, zooms).await;
                    shown::check(&fleet, &Shape::everything(), &zooms[..1]).await;
                }
            });
            Ok(())
        })
        .unwrap();
}

/// A filter that was never drawn would guard nothing: each field, with each comparison that it takes.
#[tokio::test]
async fn each_field_and_comparison_is_asked_and_matched() {
    let world = World::new().await;
    let mut fleet = Fleet::of(&world, &world.account).await;
    for act in one_of_each() {
        fleet.act(&act).await;
    }
    for shape in filters::all_tests(&fleet) {
        shown::check(&fleet, &shape, &[1]).await;
    }
}

/// The same names, places and agents in two accounts, written in turns.
#[test]
fn no_account_ever_counts_a_site_of_another() {
    let runtime = runtime();
    let acts = prop::collection::vec((0..3_u8, any_act()), 10..50);
    cases()
        .run(&(acts, any_shape(), any_zooms()), |(acts, shape, zooms)| {
            runtime.block_on(async {
                let (world, second) = (World::new().await, "globex".parse::<AccountId>().unwrap());
                world.waymark.create_account(&world.operator, second.clone(), "Globex", None).await.unwrap();
                let mut fleets = [Fleet::of(&world, &world.account).await, Fleet::of(&world, &second).await];
                for (whose, act) in &acts {
                    for (_, fleet) in (0..).zip(&mut fleets).filter(|(number, _)| whose == number || *whose == 2) {
                        fleet.act(act).await;
                    }
                }
                for fleet in &fleets {
                    for shape in [&shape, &Shape::everything()] {
                        shown::check(fleet, shape, &zooms).await;
                        calls::check(fleet, shape, i32::from(zooms[0])).await;
                    }
                }
            });
            Ok(())
        })
        .unwrap();
}
