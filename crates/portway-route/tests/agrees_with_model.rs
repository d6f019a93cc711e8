//! The matcher against a slow, obvious model, on random tables and requests.

mod arbitrary;
mod fixture;
mod model;

use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_same_match_serves(gateway in arbitrary::gateway(), requests in vec(arbitrary::message(), 30)) {
        let router = gateway.compile();
        for request in &requests {
            let listener = model::http_listener(&gateway.configuration, 80, &request.host);
            let id = router.http_listener(80, &request.host);
            prop_assert_eq!(id.map(|id| router.listener(id).key.clone()), listener.clone());
            for (id, listener) in id.into_iter().zip(listener) {
                let found = router.route(id, request).map(|found| {
                    let entry = router.rules().get(found.rule.0 as usize).unwrap();
                    (entry.route.key.clone(), entry.rule().index, found.match_index as usize)
                });
                prop_assert_eq!(found, model::winner(&gateway.configuration, &listener, request), "{:?}", request);
            }
        }
    }
}
