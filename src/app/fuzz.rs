//! Requests of every method by callers of every role, mutated, through all of the program but its network: whatever comes,
//! the answer is no fault of the server's own, and it comes.

mod requests;
mod rest;
mod world;

use prost_reflect::{DescriptorPool, MethodDescriptor};
use tonic::Code;

use crate::api::proto::DESCRIPTORS;
use crate::fuzzing::{Numbers, Target, mutate_message, sketch};
use requests::Maker;
use world::{ROLES, World};

/// Mutants of a run of the tests: some of each method.
const RUNS: u64 = 10_000;
/// Seeds of each method: one of each role, and as many of the operator, who gets farthest.
const SEEDS: usize = 2 * ROLES.len();
/// Bytes before the message: the method, and the role.
const HEAD_BYTES: usize = 2;

/// Codes that say that the server is at fault.
const FAULTS: [Code; 3] = [Code::Unknown, Code::Internal, Code::DataLoss];

/// Changes the message, sometimes the role, and rarely the method.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let mut message = bytes.split_off(HEAD_BYTES.min(bytes.len()));
    if numbers.one_in(8) && bytes.len() == HEAD_BYTES {
        bytes[1] = u8::try_from(numbers.below(ROLES.len())).unwrap();
    }
    if numbers.one_in(30) && other.len() >= HEAD_BYTES {
        // The message of one method, sent to another.
        bytes.clear();
        bytes.extend_from_slice(&other[..HEAD_BYTES]);
    }
    mutate_message(&mut message, other.get(HEAD_BYTES..).unwrap_or_default(), numbers);
    bytes.extend_from_slice(&message);
}

#[test]
fn no_request_makes_the_server_fail() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let methods: Vec<MethodDescriptor> =
        pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    assert!((90..=256).contains(&methods.len()), "a byte names a method: {}", methods.len());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let mut maker = Maker { names: world.names(), numbers: Numbers::new(1) };
    let mut seeds = Vec::new();
    for (at, method) in methods.iter().enumerate() {
        for seed in 0..SEEDS {
            let role = if seed % 2 == 0 { 0 } else { seed / 2 };
            let head = [at, role].map(|number| u8::try_from(number).unwrap());
            seeds.push([&head[..], &maker.request(&method.input())].concat());
        }
    }
    let outcomes = Target { name: "requests", seeds, mutate, runs: RUNS, cost: 20 }.run(|mutant| {
        let Some((head, message)) = mutant.split_at_checked(HEAD_BYTES) else { return "nothing".to_owned() };
        let method = &methods[usize::from(head[0]) % methods.len()];
        let role = usize::from(head[1]) % ROLES.len();
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let (code, told) = runtime.block_on(world.call(&path, role, message));
        assert!(!FAULTS.contains(&code), "{path} as {}: {code:?}: {told}", ROLES[role]);
        format!("{} {code:?} {}", method.name(), sketch(&told))
    });
    let good: std::collections::HashSet<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.contains(" Ok "))
        .filter_map(|outcome| outcome.split(' ').next())
        .collect();
    assert!(good.len() > 30, "only {} methods ever answered: {good:?}", good.len());
    runtime.block_on(world.is_well());
}
