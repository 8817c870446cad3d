//! RFC 7636: PKCE at the token endpoint.

use super::seed::Scene;
use crate::support::app::app_test;
use crate::support::http::Answer;
use crate::support::relying_party::VERIFIER;

async fn redeem(scene: &Scene, code: &str, verifier: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", scene.rp.client.redirect_uri()),
        ("code_verifier", verifier),
    ];
    scene.rp.token(&form).await
}

app_test! {
    async fn the_verifier_decides(app: TestApp) {
        let scene = Scene::public(app).await;
        let code = scene.code().await;
        let other = VERIFIER.replace('a', "b");
        for wrong in ["", "short", &other, &VERIFIER[..43], &VERIFIER.to_uppercase()] {
            redeem(&scene, &code, wrong).await.expect_error(400, "invalid_grant");
        }
        assert_eq!(redeem(&scene, &code, VERIFIER).await.status, 200, "a wrong guess doesn't spend the code");
    }

    async fn a_verifier_without_a_challenge_is_a_downgrade(app: TestApp) {
        let scene = Scene::new(app).await;
        let code = scene.code_but(|_, code| code.code_challenge = None).await;
        redeem(&scene, &code, VERIFIER).await.expect_error(400, "invalid_grant");
        assert_eq!(redeem(&scene, &code, "").await.status, 200, "a confidential client may go without");
    }

    async fn a_public_client_never_goes_without(app: TestApp) {
        let scene = Scene::public(app).await;
        let code = scene.code_but(|_, code| code.code_challenge = None).await;
        redeem(&scene, &code, "").await.expect_error(400, "invalid_grant");
        redeem(&scene, &code, VERIFIER).await.expect_error(400, "invalid_grant");
    }
}
