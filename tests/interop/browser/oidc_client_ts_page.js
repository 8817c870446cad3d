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
Object.assign(globalThis, { users, told })

const pages = {
  '/callback': async () => {
    await users.signinRedirectCallback()
    location.replace('/')
  },
  '/popup': () => users.signinPopupCallback(),
  '/silent': () => users.signinSilentCallback(),
  '/popup-bye': () => users.signoutPopupCallback(),
  '/bye': async () => {
    const { userState } = await users.signoutRedirectCallback()
    state(`signed out: ${userState}`)
  },
  '/': async () => state((await users.getUser()) ? 'signed in' : 'signed out'),
}
pages[location.pathname]().catch((error) => state(`error: ${error.error ?? error.message}`))
