// RFC 6749 2.3.1: how a client shows its secret in a header.

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
