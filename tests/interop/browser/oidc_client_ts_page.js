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
/** A sign-in in a window whose callback page tells its opener; `nothing` where that never does. */
async function signinByOpener() {
  const client = new globalThis.oidc.OidcClient({ ...settings, redirect_uri: `${location.origin}/opener` })
  const request = await client.createSigninRequest({ state: {}, display: 'popup' })
  const popup = window.open(request.url, 'sign-in', 'width=500,height=700')
  const answered = new Promise((resolve) => {
    addEventListener('message', ({ origin, source, data }) => {
      if (origin === location.origin && source === popup && data.answer) resolve(data.answer)
    })
  })
  const parted = new Promise((resolve) => {
    const look = setInterval(() => popup.closed && resolve(undefined, clearInterval(look)), 100)
  })
  const answer = await Promise.race([answered, parted])
  return answer ? (await client.processSigninResponse(answer)).profile : 'nothing'
}
Object.assign(globalThis, { users, told, signinByOpener })

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
