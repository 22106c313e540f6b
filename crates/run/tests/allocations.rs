//! A session allocates nothing once it has run.

mod common;

use synapress_model::Net;
use synapress_run::Session;

/// Whether every step of a network has loops of its own: layers as they define themselves may allocate.
fn has_loops(net: &Net) -> bool {
    Session::new(net).is_ok_and(|s| s.steps().all(|(_, how)| how.loops != "definition"))
}

#[test]
fn a_session_allocates_nothing_after_its_first_run() {
    let mut networks = 0;
    for seed in 0..600 {
        let Ok(net) = common::network(seed, 6) else { continue };
        if !has_loops(&net) {
            continue;
        }
        networks += 1;
        for threads in [1, 2] {
            let mut session = Session::new(&net).unwrap().with_threads(threads);
            let images: Vec<Vec<f32>> = (0..3).map(|i| common::image(&net, seed + i)).collect();
            session.run(&images[0]).unwrap();
            let asked = allocation_counter::measure(|| {
                for image in &images {
                    session.run(image).unwrap();
                }
            });
            assert_eq!(asked.count_total, 0, "{:?}", net.graph);
        }
    }
    assert!(networks > 20, "{networks}");
}
