// RFC 6749 2.3.1: how a client shows its secret in a header, and how what was shown is kept out of messages.

/**
 * The `Authorization` header of a client. Both parts are form-encoded before they are joined, so that a colon in one of them is not the joint. Only
 * what has to be is: servers that forget to decode know names with dashes and dots all the same.
 */
export function basicCredentials(clientId: string, clientSecret: string): string {
  return `Basic ${Buffer.from(`${formEncode(clientId)}:${formEncode(clientSecret)}`).toString('base64')}`
}

function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

/** A secret of a client as it is sent: by itself in a form, and in a header together with the ID. */
export function sentSecrets(clientId: string, clientSecret: string | undefined): readonly string[] {
  if (clientSecret === undefined || clientSecret === '') return []
  return [clientSecret, basicCredentials(clientId, clientSecret).slice('Basic '.length)]
}

/** A text without secrets, however they are spelled there: whoever answers may quote what was sent, as it was sent. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const spellings = secrets.filter((secret) => secret !== '').flatMap(spellingsOf)
  // The longest first, so that none is cut in two by a shorter one within.
  const ordered = [...new Set(spellings)].toSorted((one, other) => other.length - one.length)
  return ordered.reduce((told, secret) => told.replaceAll(secret, '…'), text)
}

/** As itself, in a URL, in a form, and in either with small letters. */
function spellingsOf(secret: string): readonly string[] {
  const encoded = [encodeURIComponent(secret), formEncode(secret)]
  return [secret, ...encoded, ...encoded.map((text) => text.replaceAll(/%../g, (hex) => hex.toLowerCase()))]
}
