// Every word that a page may show, in English. `{names}` are filled in; a translation may move them or leave them out.

/** The English texts. */
export const ENGLISH = {
  'page.account': 'Signed in as {user}',
  'page.terms': 'Terms',
  'page.privacy': 'Privacy',

  'client.configured': 'Set up by the operator of this service',
  'client.verified': 'Verified domain: {domain}',
  'client.verifiedNote': 'The name is what the app calls itself.',
  'client.unverified': 'Unverified app',
  'client.unverifiedNote': 'The name is what the app calls itself. Nobody has checked it.',
  'client.website': 'Website: {url}',

  'signIn.title': 'Sign in',
  'signIn.continueTo': 'to continue to {client}',
  'signIn.username': 'Username',
  'signIn.password': 'Password',
  'signIn.submit': 'Sign in',
  'signIn.wrong': 'That username and password do not belong together. Please try again.',
  'signIn.missing': 'Please enter both your username and your password.',
  'signIn.expired': 'This page was open for too long. Please sign in again.',

  'consent.title': '{client} asks for access',
  'consent.lead': 'to {resource}',
  'consent.switch': 'Not you?',
  'consent.scopes': 'This app would be able to',
  'consent.scopesNote': 'Untick what you do not want to share.',
  'consent.noScopes': 'Reach this service in your name',
  'consent.redirect': 'Afterwards you are sent to',
  'consent.redirectLoopback': 'An app on this device',
  'consent.redirectApp': 'An app on this device',
  'consent.loopbackNote':
    'Any program on this device can ask like this. Allow it only if you have just started signing in from an app that you trust.',
  'consent.appNote':
    'Your device opens the app that handles links of this kind. Allow it only if you expect that app.',
  'consent.webNote': 'Allow it only if you know this address and expected to be sent there.',
  'consent.internationalNote': 'This address stands for letters of another alphabet. Look at it closely.',
  'consent.signInNext': 'To confirm that it is you, you sign in at {provider} next.',
  'consent.resource': 'Address of the service',
  'consent.allow': 'Allow',
  'consent.deny': 'Deny',

  'scope.openid': 'Know who you are',
  'scope.profile': 'See your name and profile',
  'scope.email': 'See your e-mail address',
  'scope.offline_access': 'Stay connected while you are away',
  'scope.other': 'Use {scope}',

  'connections.title': 'Connected apps',
  'connections.lead': 'These apps may act for you.',
  'connections.none': 'No app is connected to your account.',
  'connections.since': 'Connected on {date}',
  'connections.revoke': 'Disconnect',
  'connections.revokeLabel': 'Disconnect {client}',
  'connections.revoked': '{client} is disconnected. It can no longer act for you.',
  'connections.signOut': 'Sign out',

  'message.continue': 'Continue',
  'message.detail': 'For developers',

  'unknown_client.title': 'This app is not known here',
  'unknown_client.body':
    'The app that sent you here uses a registration that this service does not have, or no longer has.',
  'unknown_client.advice': 'In your app, remove the server and add it again. Then sign in once more.',
  'redirect_uri_mismatch.title': 'This app wants to send you to an unknown place',
  'redirect_uri_mismatch.body':
    'The address to which the app would send you afterwards is not one that it registered, so we stopped here for your safety.',
  'redirect_uri_mismatch.advice':
    'In your app, remove the server and add it again. If that does not help, tell the makers of the app.',
  'malformed_request.title': 'This request is incomplete',
  'malformed_request.body':
    'The app that sent you here asked in a way that this service does not understand.',
  'malformed_request.advice':
    'Go back to your app and try once more. If that does not help, tell the makers of the app.',
  'expired.title': 'This took too long',
  'expired.body':
    'For your safety a sign-in has to be finished within a few minutes, and this one is over. Nothing was shared.',
  'expired.advice': 'Go back to your app and connect again.',
  'already_decided.title': 'You have already decided',
  'already_decided.body': 'Your answer was taken the first time. It cannot be given twice.',
  'already_decided.advice': 'Go back to your app. If it still waits, connect again.',
  'other_browser.title': 'This was begun in another browser',
  'other_browser.body':
    'A sign-in has to end in the browser in which it began. If somebody sent you this link, close this page: they may be after your account.',
  'other_browser.advice': 'Go back to your app and connect again from this browser.',
  'other_user.title': 'Somebody else is signed in',
  'other_user.body':
    'The question was put to another user than the one who is signed in now, so no answer was taken.',
  'other_user.advice': 'Go back to your app and connect again.',
  'forged.title': 'We could not tell that this was you',
  'forged.body':
    'The answer did not come from our own page, or cookies are switched off. Nothing was shared.',
  'forged.advice': 'Allow cookies for this site, go back to your app and connect again.',
  'too_many_requests.title': 'A little too fast',
  'too_many_requests.body': 'There were too many attempts in a short time.',
  'too_many_requests.advice': 'Wait a minute and try again.',
  'unavailable.title': 'We cannot do this right now',
  'unavailable.body': 'Something on our side does not answer. Nothing was shared.',
  'unavailable.advice': 'Try again in a minute.',
  'sign_in_failed.title': 'Signing in did not work',
  'sign_in_failed.body': 'The place where you sign in did not let you in, or its answer could not be used.',
  'sign_in_failed.advice': 'Try again. If it goes on, tell whoever runs this service.',
  'signed_out.title': 'You are signed out',
  'signed_out.body': 'Nobody is signed in on this browser any more. Apps that you connected stay connected.',
  'signed_out.advice': 'You can close this page.',
} as const

/** Every text by its name. */
export type Texts = Readonly<Record<keyof typeof ENGLISH, string>>
