// The script of the application in oidc_client_ts.mjs: what a page does with oidc-client-ts, by the path that it was opened at.
const { UserManager, IndexedDbDPoPStore } = globalThis.oidc
const { dpop, ...settings } = globalThis.settings

const users = new UserManager({ ...settings, ...(dpop && { dpop: { ...dpop, store: new IndexedDbDPoPStore() } }) })
const state = (text) => { document.getElementById('state').innerText = text }
const told = []
users.events.addUserSignedOut(async () => {
  told.push('UserSignedOut')
  await users.removeUser()
  state('signed out elsewhere')
})
users.events.addUserSessionChanged(() => { told.push('UserSessionChanged') })
users.events.addSilentRenewError((error) => { told.push(`SilentRenewError: ${error.message}`) })
/** What a window's last page tells its opener; nothing where it never does. */
function toldByWindow(url) {
  const popup = window.open(url, 'popup', 'width=500,height=700')
  const answered = new Promise((resolve) => {
    addEventListener('message', ({ origin, source, data }) => {
      if (origin === location.origin && source === popup && data.answer) resolve(data.answer)
    })
  })
  // What a window said before it closed may arrive after that.
  const parted = new Promise((resolve) => {
    const look = setInterval(() => popup.closed && setTimeout(resolve, 1000, clearInterval(look)), 100)
  })
  return Promise.race([answered, parted])
}
/** A sign-in in a window whose callback page tells its opener; `nothing` where that never does. */
async function signinByOpener() {
  const client = new globalThis.oidc.OidcClient({ ...settings, redirect_uri: `${location.origin}/opener` })
  const request = await client.createSigninRequest({ state: {}, display: 'popup' })
  const answer = await toldByWindow(request.url)
  if (!answer) return 'nothing'
  const { profile, id_token } = await client.processSigninResponse(answer)
  return { email: profile.email, id_token }
}
/** The same for signing out. */
async function signoutByOpener(id_token_hint) {
  const client = new globalThis.oidc.OidcClient({ ...settings, post_logout_redirect_uri: `${location.origin}/opener` })
  const request = await client.createSignoutRequest({ id_token_hint, state: 'by opener' })
  const answer = await toldByWindow(request.url)
  return answer ? (await client.processSignoutResponse(answer)).userState : 'nothing'
}
Object.assign(globalThis, { users, told, signinByOpener, signoutByOpener })

const pages = {
  '/callback': async () => {
    await users.signinRedirectCallback()
    location.replace('/')
  },
  '/popup': () => users.signinPopupCallback(),
  // What libraries did before they had channels: the window tells its opener, which it has to have.
  '/opener': async () => {
    window.opener.postMessage({ answer: location.href }, location.origin)
    window.close()
  },
  '/silent': () => users.signinSilentCallback(),
  '/popup-bye': () => users.signoutPopupCallback(),
  '/bye': async () => {
    const { userState } = await users.signoutRedirectCallback()
    state(`signed out: ${userState}`)
  },
  '/': async () => state((await users.getUser()) ? 'signed in' : 'signed out'),
}
pages[location.pathname]().catch((error) => state(`error: ${error.error ?? error.message}`))
