import { UserManager } from "oidc-client-ts";

export const users = new UserManager({
  authority: "__ISSUER__",
  client_id: "__CLIENT_ID__",
  redirect_uri: "__REDIRECT_URI__",
  scope: "__SCOPE__",__JS_POST_LOGOUT__
  // Name and e-mail address are asked for at userinfo.
  loadUserInfo: true,
});

// On the page at the redirect URI, when the browser comes back:
if (new URLSearchParams(location.search).has("code")) {
  await users.signinCallback();
  history.replaceState(null, "", location.pathname);
}

// Who it is, if anybody; and the token for your API.
const user = await users.getUser();
if (user) {
  console.log(user.profile.sub, user.profile.email);
  // fetch(url, { headers: { authorization: `Bearer ${user.access_token}` } })
}

// For your buttons.
export const signIn = () => users.signinRedirect();
export const signOut = () => users.signoutRedirect();
