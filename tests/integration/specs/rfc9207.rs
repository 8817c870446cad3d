//! The issuer in every authorization response (RFC 9207), at the address where the flow began.

use super::seed::Scene;
use crate::support::app::app_test;

app_test! {
    async fn success_and_failure_carry_the_exact_issuer(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let success = scene.rp.authorize(&mut browser, &scene.user, &[]).await;
        let failure = browser.open(&scene.rp.authorization_url(&[("scope", "sorcery")])).await;
        let metadata = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        for page in [success, failure] {
            assert_eq!(page.answer.location_param("iss").as_deref(), metadata["issuer"].as_str());
        }
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], serde_json::json!(true));
    }
}
