// build.gradle.kts: implementation("net.openid:appauth:0.11.1")
// and in android.defaultConfig: manifestPlaceholders["appAuthRedirectScheme"] = "__REDIRECT_SCHEME__"
import android.app.Activity
import android.content.Intent
import android.net.Uri
import net.openid.appauth.*

class SignIn(private val activity: Activity) {
    private val service = AuthorizationService(activity)

    fun begin() = AuthorizationServiceConfiguration.fetchFromIssuer(Uri.parse("__ISSUER__")) { provider, problem ->
        if (provider == null) throw checkNotNull(problem)
        val request = AuthorizationRequest.Builder(
            provider, "__CLIENT_ID__", ResponseTypeValues.CODE, Uri.parse("__REDIRECT_URI__"),
        ).setScope("__SCOPE__").build()
        activity.startActivityForResult(service.getAuthorizationRequestIntent(request), 1)
    }

    // From the activity's onActivityResult.
    fun finish(answer: Intent, done: (TokenResponse) -> Unit) {
        val response = AuthorizationResponse.fromIntent(answer) ?: throw checkNotNull(AuthorizationException.fromIntent(answer))
        service.performTokenRequest(response.createTokenExchangeRequest()) { tokens, problem ->
            done(tokens ?: throw checkNotNull(problem))
        }
    }
}
