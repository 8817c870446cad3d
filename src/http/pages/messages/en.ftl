# English. One message a line; { $name } is filled in.

month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
date = { $day } { $month } { $year }
ago-now = just now
ago-minutes = { $count ->
    [one] 1 minute ago
   *[other] { $count } minutes ago
}
ago-hours = { $count ->
    [one] 1 hour ago
   *[other] { $count } hours ago
}
ago-days = { $count ->
    [one] 1 day ago
   *[other] { $count } days ago
}
ago-date = on { $date }

title-problem = Error:
skip-to-content = Skip to content
show = Show
hide = Hide
show-password = Show password
hide-password = Hide password
more = Show more
continue = Continue
request-id = Request ID

sign-in = Sign in
sign-in-heading = Sign in to { $tenant }
continue-to = to continue to { $client }
username-label = Email
password-label = Password
use-another-account = Use another account
client-terms = About { $client }:
privacy-policy = Privacy policy
terms-of-service = Terms of service

select-account-heading = Choose an account
select-account-lede = These accounts have been used at { $tenant } in this browser.
select-account-empty = Nobody is signed in in this browser yet.
signed-out-state = Signed out

consent-heading = Give { $client } access?
consent-asks = would like to use your { $tenant } account.
consent-able = It will be able to
consent-resource = In { $resource }, it will be able to
consent-nothing = It will only learn that you signed in, and nothing else about you.
consent-return = You will go on to { $host }.
consent-withdraw = You can withdraw access at any time in your account.
allow = Allow
deny = Don’t allow
scope-openid = Recognise you when you sign in
scope-profile = See your name and profile
scope-email = See your email address
scope-address = See your postal address
scope-phone = See your phone number
scope-offline-access = Keep this access while you are away
scope-device-sso = Sign you in to the other applications of its maker on this device

user-code-heading = Connect a device
user-code-lede = Your device shows a code. Enter it here.
user-code-label = Code
user-code-form = Eight letters, like WDJB-MJHT. Capitals and the hyphen don’t matter.
user-code-warning = Only use a code that your own device shows. Nobody who sends you one is helping you.
device-heading = Connect { $client }?
device-asks = on another device would like to use your { $tenant } account.
device-warning = Go on only if you have just started this yourself, and your device shows this code. Did somebody send you the code or ask you to enter it? Then choose “Don’t allow”: it would let them into your account.
device-code = Code on the device
device-asked = Asked for
device-address = From the network address
device-allowed-heading = Your device is connected
device-allowed-lede = { $client } goes on by itself in a few seconds. You can close this page.
device-denied-heading = Nothing was allowed
device-denied-lede = { $client } did not get access. If you didn’t start this yourself, there is nothing else you need to do.

request-heading = Is this you, at { $client }?
request-asks = asks for you and would like to use your { $tenant } account.
request-warning = Go on only if you have just started this yourself. Did somebody ask you to allow it, or do you not know why you are asked? Then choose “Don’t allow”: it would let them into your account.
request-warning-compare = Go on only if you have just started this yourself, and the application shows exactly this text. Did somebody ask you to allow it, or do you not know why you are asked? Then choose “Don’t allow”: it would let them into your account.
request-message = The application shows
request-asked = Asked
request-ends = To be answered
request-left = { $minutes ->
    [one] within a minute
   *[other] within { $minutes } minutes
}
request-answer = Answer
request-allowed-heading = You have allowed it
request-allowed-lede = { $client } goes on by itself in a few seconds. You can close this page.
request-denied-heading = Nothing was allowed
request-denied-lede = { $client } did not get access. If you didn’t start this yourself, there is nothing else you need to do.

sign-out = Sign out
sign-out-heading = Sign out?
sign-out-lede = This ends your session at { $tenant } in this browser.
stay-signed-in = Stay signed in
signed-out-heading = You’re signed out
signed-out-lede = Your session at { $tenant } in this browser has ended.
signed-out-onward = The applications are told; you go on in a moment.
sign-in-again = Sign in again

choose-password-heading = Choose your password
choose-password-lede = For your { $tenant } account
choose-password = Set password
new-password-label = New password
confirm-password-label = New password, once more
current-password-label = Current password
password-rules-length = Use at least { $min } characters. A few unrelated words are easy to remember and hard to guess.
password-rules-common = Passwords that are widely known are refused.
link-spent-heading = This link can’t be used
link-spent-lede = It has been used already, or it is too old. If you still need to choose a password, ask the person who sent you the link for a new one.

problem-username-missing = Enter your email address.
problem-password-missing = Enter a password.
problem-credentials = That email and password don’t match. Check both and try again. If you have forgotten your password, your administrator can give you a link to set a new one.
problem-too-many-attempts = { $minutes ->
    [one] Too many attempts. Wait a minute, then try again.
   *[other] Too many attempts. Wait { $minutes } minutes, then try again.
}
problem-busy = We’re very busy just now. Wait a moment, then try again.
problem-form-lapsed = This page was open for too long. Please send it once more.
problem-current-password = That isn’t your current password.
problem-password-too-short = { $min ->
    [one] Use at least 1 character.
   *[other] Use at least { $min } characters.
}
problem-password-too-long = Use at most { $max } characters.
problem-password-common = This password is widely known. Choose one that only you would think of.
problem-password-personal = The password must not contain your name or email address.
problem-password-unchanged = That is your current password. Choose a different one.
problem-passwords-differ = The two passwords aren’t the same.
problem-user-code-missing = Enter the code that your device shows.
problem-user-code-unknown = No device is waiting with this code. Check it, or have your device show a new one: codes don’t last long.
problem-request-gone = No such request waits for you: it was answered already, its time is over, or it is meant for another account.
problem-request-code-unfit = A code has 6 to 32 letters from A to Z, digits and signs, without spaces.
problem-request-code-guessable = That would be guessed first. Choose one that isn’t common, a row of characters or part of your address.
problem-gone-already = That had been ended already.

notice-password-chosen = Your password is set. You can sign in with it now.
notice-password-changed = Your password has been changed.
notice-session-ended = That device has been signed out.
notice-others-ended = All other devices have been signed out.
notice-sharing-ended = Other applications on that device can’t sign you in any more.
notice-access-withdrawn = Access has been withdrawn.
notice-request-code-set = The code is set. Without it nobody asks you any more.
notice-request-code-removed = The code is removed.

error-detail = For the developer
error-code = Code
error-quote = If you ask for help, quote the request ID: it leads straight to what happened.
error-title-tenant-not-found = There is nobody here
error-advice-tenant-not-found = No organisation has this address. Check it for a typing mistake, or go back to the application that you came from.
error-title-tenant-suspended = Sign-in is closed
error-advice-tenant-suspended = This organisation’s access has been suspended. Its administrators can say more.
error-title-form-lapsed = Please try that again
error-advice-form-lapsed = This form was open for too long, or was sent from another page. Nothing has been changed.
error-title-flow-expired = This sign-in has expired
error-advice-flow-expired = It took too long or was finished in another window. Go back to the application and sign in from there.
error-title-forbidden = This isn’t open to you
error-advice-forbidden = Your account may not do this. An administrator of your organisation can change that.
error-title-unavailable = Not available just now
error-advice-unavailable = We can’t answer at the moment. Wait a little, then try again; nothing is lost.
error-title-too-many = That was too often
error-advice-too-many = Too many requests came from your network. Wait a few minutes, then try again.
error-title-too-slow = That took too long
error-advice-too-slow = The connection was so slow that not all of what you sent arrived in time. Nothing has been changed. Go back and try again, over another network if you can.
error-title-not-found = This page doesn’t exist
error-advice-not-found = The address may be mistyped, or the page has gone.
error-title-not-understood = That couldn’t be used
error-advice-not-understood = This address doesn’t accept what was sent to it. Go back and try again from there.
error-title-server = Something went wrong
error-advice-server = The mistake is ours, and it has been recorded. Try again in a moment.
error-title-application = The application made a mistake
error-advice-application = It sent you here with a request that can’t be fulfilled. Nothing of yours has been passed on. Go back to the application, and tell its makers if it happens again.
error-title-not-signed-in = You aren’t signed in here
error-advice-not-signed-in = The application asked whether you are, without having you sign in. Go back to it, and sign in from there if you want to use it.
error-onward = The application wants you to go on to { $host }. It chose this address itself, and nobody of this organisation has checked it: go there only if you know it.
error-onward-go = Go on to { $host }

form-post-heading = Taking you back
form-post-lede = You are being sent back to the application.

tenant-home-title = Welcome
tenant-home-lede = Your { $tenant } account signs you in to the applications that belong to it.
to-account = Go to your account
landing-title = Sign-in service
landing-heading = A sign-in service
landing-lede = Tessera signs people in to their organisations’ applications, by OAuth 2 and OpenID Connect.
landing-advice = Looking for your sign-in page? Each organisation has an address of its own. Open the application that you want to use: it will take you there.

account-nav = Account
account-home-tab = Overview
account-password-tab = Password
account-sessions-tab = Devices
account-applications-tab = Applications
account-home-title = Your account
account-home-heading = Hello, { $name }
account-home-lede = This is your { $tenant } account.
account-profile = What is known about you
account-profile-empty = Nothing but the name you sign in with.
account-security = Security
account-administration = Administration
account-console-heading = Console
account-console-lede = Look after { $tenant }: people, applications, settings.
verified = Verified
not-verified = Not verified
claim-name = Full name
claim-given-name = Given name
claim-middle-name = Middle name
claim-family-name = Family name
claim-nickname = Nickname
claim-preferred-username = User name
claim-email = Email
claim-phone-number = Phone
claim-address = Address
claim-birthdate = Date of birth
claim-gender = Gender
claim-zoneinfo = Time zone
claim-locale = Language
claim-website = Website
claim-profile = Profile page
claim-picture = Picture
account-password-heading = Change your password
account-password-lede = A new one takes effect at once.
change-password = Change password
end-others-too = Sign out all other devices
account-sessions-heading = Your devices
account-sessions-lede = The browsers in which you are signed in.
account-sessions-empty = You aren’t signed in anywhere.
device = { $browser } on { $system }
device-unknown = Unknown device
this-device = This device
session-seen = Active
session-began = Signed in on
session-shared = Apps on this device can sign you in by it:
unshare-session = Stop sharing
end-session = Sign out
end-others = Sign out all other devices
no-other-sessions = You aren’t signed in anywhere else.
account-requests-tab = Requests
account-requests-heading = Requests to you
account-requests-lede = Applications that ask for you while you are elsewhere. Allow only what you have just started yourself.
account-requests-empty = Nothing waits for your answer.
request-code-heading = Your code for requests
request-code-lede = With a code, nobody can put a request before you who hasn’t got it from you. Give it only to those who are to ask you. It signs you in nowhere.
request-code-there = A code is set.
request-code-none = No code is set.
request-code-label = Code
request-code-another = Another code
request-code-form = 6 to 32 letters, digits and signs, without spaces. Don’t take your password or a PIN of yours.
request-code-set = Set code
request-code-change = Change code
request-code-remove = Remove code
requests-waiting = { $count ->
    [one] One request waits for your answer.
   *[other] { $count } requests wait for your answer.
}
requests-show = Show
account-applications-heading = Your applications
account-applications-lede = The applications that you can open from here, and those that you allowed to use your account.
account-applications-empty = No application has access yet. Those that you allow will be listed here, and you can withdraw their access at any time.
account-applications-own = Applications of { $tenant }
account-applications-allowed = With your permission
granted-until = At the latest until
date-time = { $date }, { $time } UTC
application-start = Open
granted-on = Allowed on
withdraw-access = Withdraw access
withdraw-lede = { $client } can no longer use your account, and has to ask again. What it already learned, it may have kept.
withdraw-confirm = Withdraw now
