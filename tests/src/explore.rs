//! Walks through all states of a model.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

use stateright::{Checker, HasDiscoveries, Model};

/// All states and steps of this process so far, for the line that is printed last.
static STATES: AtomicUsize = AtomicUsize::new(0);
static STEPS: AtomicUsize = AtomicUsize::new(0);

/// Visits every state of `model`, prints how many there are, and asks each for the model's properties.
///
/// # Panics
/// With the shortest way to a state in which one does not hold, or where one is never met that must be.
pub fn explore<M>(name: &str, model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + PartialEq + Hash + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    let properties = model.properties().into_iter();
    let invariants = properties.filter(|property| property.expectation.discovery_is_failure());
    let invariants: Vec<&str> = invariants.map(|property| property.name).collect();
    let checker = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let (states, steps) = (checker.unique_state_count(), checker.state_count());
    let all_states = STATES.fetch_add(states, Ordering::Relaxed) + states;
    let all_steps = STEPS.fetch_add(steps, Ordering::Relaxed) + steps;
    println!("{name}: {states} states, {steps} steps; so far {all_states} states, {all_steps} steps");
    let failure = checker.discoveries().into_iter().find(|(property, _)| invariants.contains(property));
    if let Some((property, path)) = failure {
        let last = path.last_state().clone();
        panic!("{name}: {property}\nafter {:?}\nin {last:?}", path.into_actions());
    }
    checker.assert_properties();
}
