//! Certificates that their authority has revoked (RFC 5280 §5), by the lists that a tenant's administrators set.

use openssl::nid::Nid;
use serde_json::json;

use super::mtls::{BY_HEADER, ask, client_of, machine, now, trusting};
use crate::support::admin::Admin;
use crate::support::app::on_both;
use crate::support::certificates::{Identity, SUBJECT_TEXT, Wanted};
use crate::support::http::Request;

/// The certificates that the proxy saw beside the client's.
fn with_chain(request: Request, chain: &[&Identity]) -> Request {
    let chain: Vec<_> = chain.iter().map(|one| one.sequence()).collect();
    request.header("client-cert-chain", &chain.join(", "))
}

#[test]
#[expect(clippy::too_many_lines, reason = "one tenant for many lists")]
fn revoked_certificates_are_refused() {
    let settings = format!("{BY_HEADER}client_certificate_chain_header = 'Client-Cert-Chain'\n");
    on_both(&settings, |app| async move {
        let (scene, authority) = trusting(app).await;
        let now = now(&scene);
        let wanted = Wanted::client(now);
        let (good, bad) = (authority.issue(&wanted), authority.issue(&wanted));
        let below = authority.issue(&Wanted {
            subject: &[(Nid::COMMONNAME, "Below")],
            san: [None; 4],
            is_authority: true,
            ..wanted.clone()
        });
        let deep = below.issue(&wanted);
        let rp = client_of(
            &scene.app,
            &scene.tenant,
            machine(&json!({ "tls_client_auth_subject_dn": SUBJECT_TEXT })),
        )
        .await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let set = async |lists: &str| {
            let lists = json!({ "client_certificate_revocation_lists": lists });
            admin.patch("/tenants/acme/settings", &lists).await
        };
        let status = async |identity: &Identity| ask(&rp, identity).await.status;
        let chained = async |chain: &[&Identity]| {
            let request = rp.authenticated("/token", &super::mtls::MACHINE);
            let request = with_chain(super::mtls::shown(request, &deep), chain);
            request.send().await.status
        };
        // RFC 9440 §2.3: with what leads to the authority, and not without.
        assert_eq!((chained(&[&below]).await, chained(&[]).await), (200, 401));
        assert_eq!((status(&good).await, status(&bad).await), (200, 200));
        let times = (now - 60, now + 600);
        let list = authority.revokes(&[&bad], times, false);
        assert_eq!(set(&list).await.status, 200);
        assert_eq!((status(&good).await, status(&bad).await), (200, 401));
        let told = ask(&rp, &bad).await;
        assert!(told.body.contains("revoked"), "{}", told.body);
        // The list of the authority below, and that of the one above about it.
        assert_eq!(chained(&[&below]).await, 200);
        let its = below.revokes(&[&deep], times, false);
        assert_eq!(set(&format!("{list}\n{its}")).await.status, 200);
        assert_eq!((chained(&[&below]).await, status(&good).await), (401, 200));
        assert_eq!(
            set(&authority.revokes(&[&below], times, false))
                .await
                .status,
            200
        );
        assert_eq!((chained(&[&below]).await, status(&good).await), (401, 200));
        // Whoever calls themselves by the authority's name revokes nothing, nor lifts what it revoked.
        let namesake = Identity::authority("Example Root", now);
        let theirs = namesake.revokes(&[&good], times, false);
        assert_eq!(set(&theirs).await.status, 200);
        assert_eq!((status(&good).await, status(&bad).await), (200, 200));
        let lifted = namesake.revokes(&[], times, false);
        assert_eq!(set(&format!("{list}{lifted}")).await.status, 200);
        assert_eq!(status(&bad).await, 401);
        // Of two lists both count, and one of them has to be in its time.
        let (old, early) = (
            authority.revokes(&[&bad], (now - 600, now - 1), false),
            authority.revokes(&[], (now + 60, now + 600), false),
        );
        for (lists, expected) in [
            (old.clone(), 401),
            (early.clone(), 401),
            (format!("{old}{early}"), 401),
            (
                format!("{old}{}", authority.revokes(&[], times, false)),
                200,
            ),
        ] {
            assert_eq!(set(&lists).await.status, 200);
            assert_eq!((status(&good).await, status(&bad).await), (expected, 401));
        }
        assert_eq!(set(&list).await.status, 200);
        scene.app.time.advance(std::time::Duration::from_secs(599));
        assert_eq!(status(&good).await, 200);
        scene.app.time.advance(std::time::Duration::from_secs(1));
        let told = ask(&rp, &good).await;
        assert!(
            told.status == 401 && told.body.contains("client_certificate_revocation_lists"),
            "{}",
            told.body
        );
        // What is none, or a part of one.
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        for wrong in [
            "x".to_owned(),
            list.replace("X509 CRL", "CERTIFICATE"),
            list[..100].to_owned(),
            format!("x{list}"),
            list.repeat(21),
            authority.revokes(&[&bad], times, true),
            authority.pem(),
        ] {
            let lists = json!({ "client_certificate_revocation_lists": wrong });
            let answer = admin.patch("/tenants/acme/settings", &lists).await;
            assert!(
                answer.status == 422 && answer.body.contains("client_certificate_revocation_lists"),
                "{} {}",
                answer.status,
                answer.body
            );
        }
        let none = json!({ "client_certificate_revocation_lists": "" });
        assert_eq!(
            admin.patch("/tenants/acme/settings", &none).await.status,
            200
        );
        assert_eq!((status(&good).await, status(&bad).await), (200, 200));
        // Another tenant's lists are its own.
        assert_eq!(scene.app.tenant("globex").await.slug.as_str(), "globex");
        // What can't be read of the chain is refused rather than taken for none.
        for chain in ["x", ":AAAA:", ":AAAA"] {
            let request = rp.authenticated("/token", &super::mtls::MACHINE);
            let request = super::mtls::shown(request, &good).header("client-cert-chain", chain);
            request.send().await.expect_error(400, "invalid_request");
        }
    });
}
